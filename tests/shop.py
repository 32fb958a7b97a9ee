"""A shop of 240 accounts over fourteen months, in a database, and what a real training makes of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from alembic import command

from models.data.sources.local import history_from_database
from models.train import TrainingOptions, train
from service.imports.importer import import_file
from service.offers.smoke import smoke_test
from service.rows.options import ImportOptions
from service.storage.database import alembic_config, create_database_engine
from service.sync.artifact_store import ArtifactStore

N_ACCOUNTS, N_PRODUCTS, N_LINES = 240, 72, 12
HORIZON_DAYS = 60
BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 420
AS_OF = BEGIN + timedelta(days=DAYS)
UNSOLD_LINE = "line-5"
LAPSED, LAPSED_DAY = 11, 90
"""One account in thirty, the one of that number, bought nothing after that day."""
OLD = "p-0"
"""A product of the first line that is sold no more."""


@dataclass(frozen=True)
class Shop:
    """A database of all that was sold, and a folder with the artifact that is learned from it."""

    database: Path
    artifacts: Path


def line_of(product: int) -> str:
    """Products stand in lines one after the other; those that are left over have none."""
    return "" if product >= N_PRODUCTS - 4 else f"line-{product % N_LINES}"


def products() -> Iterator[dict[str, Any]]:
    """Half of the margins are known; what is sold at a loss is the last product of all."""
    for number in range(N_PRODUCTS):
        line = line_of(number)
        yield {
            "product_id": f"p-{number}",
            "name": f"Product {number}",
            "line": line,
            "category": f"{line}/{number % 24}" if line else "",
            "price_minor": 200 + 50 * number,
            "currency": "EUR",
            "margin_minor": -300 if number == N_PRODUCTS - 1 else 20 + number if number % 2 else None,
            "active": "no" if line == UNSOLD_LINE or number == 0 else "yes",
        }


def accounts() -> Iterator[dict[str, Any]]:
    """Two sorts; the last ten never buy."""
    for number in range(N_ACCOUNTS):
        yield {"account_id": f"a-{number}", "name": f"Account {number}", "attributes.sort": "ab"[number % 2]}


def orders(seed: int = 4) -> Iterator[dict[str, Any]]:
    """Each account buys at its own rate, some until they lapse, mostly of two lines that it likes.

    One line in thirty is a return, and some orders name no account.
    """
    rng = np.random.default_rng(seed)
    for account in range(N_ACCOUNTS - 10):
        liked = rng.permutation(N_LINES)[:3]
        liking = np.full(N_LINES, 0.3)
        liking[liked] = 8.0, 8.0, 2.0
        weights = liking[np.arange(N_PRODUCTS) % N_LINES] * rng.gamma(0.6, 1.0, N_PRODUCTS)
        last = LAPSED_DAY if account % 30 == LAPSED else DAYS
        days = np.sort(rng.integers(0, last, rng.poisson(10 + 14 * rng.random())))
        for place, day in enumerate(days.tolist()):
            chosen = rng.choice(N_PRODUCTS, rng.integers(1, 4), replace=False, p=weights / weights.sum())
            for product in chosen.tolist():
                quantity = -1 if rng.random() < 1 / 30 else int(rng.integers(1, 3))
                yield {
                    "order_id": f"o-{account}-{place}",
                    "account_id": "" if account == 0 and place % 2 else f"a-{account}",
                    "product_id": f"p-{product}",
                    "ordered_at": (BEGIN + timedelta(days=day, hours=9)).isoformat(),
                    "quantity": quantity,
                    "amount_minor": quantity * (200 + 50 * product),
                    "currency": "EUR",
                }


Rows = Iterable[dict[str, Any]]


def open_shop(
    folder: Path, change: Callable[[str, Rows], Rows] = lambda _, rows: rows, exchange_rates: Rows = ()
) -> Shop:
    """Import everything, train on it, and publish.

    change: from the kind of rows, and the rows, to those that are imported.
    """
    shop = Shop(folder / "shop.db", folder / "artifacts")
    url = f"sqlite:///{shop.database}"
    command.upgrade(alembic_config(url), "head")
    engine = create_database_engine(url)
    given: dict[str, Rows] = {"accounts": accounts(), "products": products(), "orders": orders()}
    for kind, rows in {"exchange-rates": exchange_rates, **given}.items():
        if changed := list(change(kind, rows)):
            path = folder / f"{kind}.csv"
            pyarrow.csv.write_csv(pa.Table.from_pylist(changed), path)
            import_file(engine, kind, [path], ImportOptions())
    engine.dispose()
    shop.artifacts.mkdir()
    options = TrainingOptions(as_of=int(AS_OF.timestamp()), horizon_days=HORIZON_DAYS, is_forced=True)
    trained = train(history_from_database(url), options, shop.artifacts, None, lambda _: None)
    ArtifactStore(shop.artifacts, smoke_test).activate(trained.manifest.version)
    return shop
