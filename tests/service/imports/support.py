"""What tests of bulk input share: files in every format, the state of a database, a served application."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow
import pyarrow.parquet
from sqlalchemy import Engine, Table, select
from starlette.testclient import TestClient

from service.accounts.tables import Account
from service.catalogue.tables import Product
from service.deals.tables import Deal, DealLine
from service.orders.tables import Order, OrderLine
from tests.service.conftest import make_key, make_settings, running

Rows = Sequence[Mapping[str, Any]]
State = dict[str, list[tuple[Any, ...]]]


def database_state(engine: Engine, *, with_times: bool = False) -> State:
    """All rows of the sales history, in order; without the times at which they were written, unless asked for."""
    state: State = {}
    with engine.connect() as connection:
        for entity in (Account, Product, Order, OrderLine, Deal, DealLine):
            table = cast(Table, entity.__table__)
            columns = [column for column in table.columns if with_times or column.name != "updated_at"]
            rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
            state[table.name] = [tuple(map(_comparable, row)) for row in rows]
    return state


def _comparable(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def write_csv(path: Path, rows: Rows, *, delimiter: str = ",") -> Path:
    """Write rows as CSV, gzipped if the name ends so."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return _write(path, text.getvalue().encode())


def write_ndjson(path: Path, rows: Rows) -> Path:
    """Write rows as NDJSON, gzipped if the name ends so."""
    return _write(path, "".join(json.dumps(row, default=str) + "\n" for row in rows).encode())


def write_parquet(path: Path, rows: Rows) -> Path:
    """Write rows as Parquet."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read_rejects(path: Path) -> list[dict[str, str]]:
    """The rows of a rejects file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def serving(database_url: str, artifacts_dir: Path, scopes: str = "read,write") -> Iterator[TestClient]:
    """The application, and a client that may do what the scopes allow."""
    with running(make_settings(database_url, artifacts_dir), make_key(database_url, scopes)) as client:
        yield client


def results(client: TestClient, path: str, rows: Any, **parameters: str) -> list[dict[str, Any]]:
    """Post rows and return the result of each."""
    answer = client.post(path, json=rows, params=parameters)
    assert answer.status_code == 200, answer.text
    outcomes: list[dict[str, Any]] = answer.json()["results"]
    return outcomes
