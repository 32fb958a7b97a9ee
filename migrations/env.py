"""Alembic's entry point: the same migrations for SQLite and PostgreSQL."""

from alembic import context

# The tables register themselves on Base.metadata when they are imported.
import service.accounts.tables
import service.auth.tables
import service.catalogue.tables
import service.orders.tables  # noqa: F401
from service.database import Base, create_database_engine


def run() -> None:
    """Migrate on a given connection (tests), or on one made from the configured URL."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        engine = create_database_engine(context.config.get_main_option("sqlalchemy.url") or "")
        with engine.connect() as opened:
            _migrate(opened)
        engine.dispose()
    else:
        _migrate(connection)


def _migrate(connection: object) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


run()
