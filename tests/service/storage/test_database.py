"""The schema, its check, and the views that training reads, on both databases."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from service.accounts.tables import Account
from service.base.errors import SchemaOutdated
from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine
from service.storage.database import (
    Base,
    check_schema,
    create_database_engine,
    empty_write_ahead_log,
    read_connection,
)

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_migrations_make_exactly_the_mapped_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert difference == []


def test_a_current_schema_passes_the_check(engine: Engine) -> None:
    check_schema(engine)


def test_an_empty_database_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'empty.db'}")

    with pytest.raises(SchemaOutdated, match="nextoffer db upgrade"):
        check_schema(engine)
    engine.dispose()


def test_training_lines_leave_out_cancelled_orders_and_count_time_in_utc_seconds(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(Account(account_id="a", attributes={}, is_stub=True, updated_at=NOON))
        session.add(Product(product_id="p", name="P", is_active=True, attributes={}, is_stub=True, updated_at=NOON))
        session.flush()
        session.add(Order(order_id="kept", account_id="a", ordered_at=NOON, is_cancelled=False))
        session.add(Order(order_id="cancelled", account_id="a", ordered_at=NOON, is_cancelled=True))
        session.flush()
        for order_id in ("kept", "cancelled"):
            session.add(OrderLine(order_id=order_id, product_id="p", ordinal=0, quantity=2, amount_minor=500))

    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM training_order_lines")).all()

    assert [tuple(row) for row in rows] == [("a", "kept", "p", int(NOON.timestamp()), 2.0, 500, None)]


def test_a_read_connection_does_not_wait_for_a_writer_on_sqlite(sqlite_url: str) -> None:
    engine = create_database_engine(sqlite_url, busy_seconds=0)

    with engine.begin(), read_connection(engine) as reading:
        count = reading.scalar(text("SELECT count(*) FROM accounts"))

    assert count == 0
    engine.dispose()


def test_the_write_ahead_log_is_said_not_to_be_empty_while_somebody_reads(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.storage.database.LOG_PATIENCE_SECONDS", 0)
    engine = create_database_engine(sqlite_url, busy_seconds=0)
    log = Path(f"{sqlite_url.removeprefix('sqlite:///')}-wal")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (body TEXT)"))
    with read_connection(engine) as reader:
        reader.execute(text("SELECT * FROM notes")).all()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO notes VALUES ('quillfeather')"))

        assert not empty_write_ahead_log(engine)
        assert b"quillfeather" in log.read_bytes()

    assert empty_write_ahead_log(engine)
    assert log.read_bytes() == b""
    engine.dispose()
