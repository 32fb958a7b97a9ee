"""The same history comes out of files of every kind and out of both databases."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.artifact import NO_NUMBER
from models.data.errors import HistoryInvalid
from models.data.sources.local import history_from_database, history_from_files
from service.accounts.tables import Account
from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine

TIME = datetime(2024, 2, 29, 12, tzinfo=UTC)
LINES = pa.table(
    {
        "account_id": pa.array([None] * 1500 + ["007", "b"]),
        "order_id": [str(i) for i in range(1502)],
        "product_id": ["x"] * 1501 + ["y"],
        "ordered_at": [(TIME + timedelta(hours=i)).isoformat() for i in range(1502)],
        "quantity": [1.0] * 1501 + [-2.5],
        "amount_minor": [100] * 1502,
    }
)


def write(path: Path) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(LINES, path)
    elif path.suffix == ".ndjson":
        path.write_text("\n".join(json.dumps(row) for row in LINES.to_pylist()))
    elif path.suffix == ".gz":
        plain = path.with_suffix("")
        pyarrow.csv.write_csv(LINES, plain)
        path.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        pyarrow.csv.write_csv(LINES, path)
    return path


def store(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for account_id in ("007", "b"):
            session.add(Account(account_id=account_id, attributes={}, is_stub=True, updated_at=TIME))
        for product_id in ("x", "y"):
            session.add(
                Product(
                    product_id=product_id, name=product_id, is_active=True, attributes={}, is_stub=True, updated_at=TIME
                )
            )
        session.flush()
        for row in LINES.to_pylist():
            at = datetime.fromisoformat(row["ordered_at"])
            session.add(
                Order(order_id=row["order_id"], account_id=row["account_id"], ordered_at=at, is_cancelled=False)
            )
        session.flush()
        for row in LINES.to_pylist():
            keys = {name: row[name] for name in ("order_id", "product_id", "quantity", "amount_minor")}
            session.add(OrderLine(ordinal=0, **keys))


@pytest.mark.parametrize("name", ["lines.csv", "lines.csv.gz", "lines.ndjson"])
def test_every_file_format_gives_the_same_history(name: str, tmp_path: Path) -> None:
    reference = history_from_files([write(tmp_path / "lines.parquet")], None, None, {})

    history = history_from_files([write(tmp_path / name)], None, None, {})

    assert history.fingerprint == reference.fingerprint
    assert set(history.interactions.account_ids) == {"007", "b"}


def test_both_databases_give_the_history_that_the_file_gives(engine: Engine, tmp_path: Path) -> None:
    reference = history_from_files([write(tmp_path / "lines.parquet")], None, None, {})
    store(engine)

    history = history_from_database(engine.url.render_as_string(hide_password=False))

    assert history.fingerprint == reference.fingerprint


def test_product_facts_are_in_the_rows_of_the_interactions(tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_text(
        "product_id,name,family,tier,price_minor,is_active\ny,Yacht,boats,3,999,false\nz,Zebra,,,,true\n"
    )

    history = history_from_files([write(tmp_path / "lines.parquet")], products, None, {})

    facts = history.products
    at = {product_id: row for row, product_id in enumerate(history.interactions.product_ids)}
    assert set(at) == {"x", "y", "z"}
    assert [facts.names[at[p]] for p in "xyz"] == ["x", "Yacht", "Zebra"]
    assert [int(facts.tiers[at[p]]) for p in "xyz"] == [NO_NUMBER, 3, NO_NUMBER]
    assert [bool(facts.is_active[at[p]]) for p in "xyz"] == [True, False, True]
    assert facts.ids.row_of("y") == at["y"]
    assert np.issubdtype(facts.prices_minor.dtype, np.int64)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(HistoryInvalid, match=r"nowhere\.csv"):
        history_from_files([Path("nowhere.csv")], None, None, {})


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 and then rubbish")

    with pytest.raises(HistoryInvalid, match=r"broken\.parquet"):
        history_from_files([path], None, None, {})
