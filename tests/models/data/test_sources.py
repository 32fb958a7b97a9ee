"""The same history comes out of a file and out of both databases, also where the first thousand accounts are null."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.data.sources.local import history_from_database
from service.accounts.tables import Account
from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine
from service.training.file_history import HistoryFiles, history_from_files

TIME = datetime(2024, 2, 29, 12, tzinfo=UTC)
LINES = pa.table(
    {
        "account_id": pa.array([None] * 1500 + ["007", "b"]),
        "order_id": [str(i) for i in range(1502)],
        "product_id": ["x"] * 1501 + ["y"],
        "ordered_at": [(TIME + timedelta(hours=i)).isoformat() for i in range(1502)],
        "quantity": [1.0] * 1501 + [-2.5],
        "amount_minor": [100] * 1501 + [-100],
    }
)


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
            ordered_at = datetime.fromisoformat(row["ordered_at"])
            session.add(
                Order(order_id=row["order_id"], account_id=row["account_id"], ordered_at=ordered_at, is_cancelled=False)
            )
        session.flush()
        for row in LINES.to_pylist():
            keys = {name: row[name] for name in ("order_id", "product_id", "quantity", "amount_minor")}
            session.add(OrderLine(ordinal=0, **keys))


def test_both_databases_give_the_history_that_the_file_gives(engine: Engine, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(LINES, tmp_path / "lines.parquet")
    reference = history_from_files(HistoryFiles([tmp_path / "lines.parquet"]))
    store(engine)

    history = history_from_database(engine.url.render_as_string(hide_password=False))

    assert history.fingerprint == reference.fingerprint
