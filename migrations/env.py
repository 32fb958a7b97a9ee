"""Alembic's entry point: the same migrations for SQLite and PostgreSQL."""

from alembic import context
from sqlalchemy import Connection, text

# The tables register themselves on Base.metadata when they are imported.
from service.storage.database import Base, create_database_engine

MIGRATION_LOCK = 0x6E786F6D6967


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


def _migrate(connection: Connection) -> None:
    # One transaction for all steps on SQLite, too: between two steps another process would take the next one.
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Who migrates at the same time waits here, and then finds nothing to do. SQLite has one writer anyway.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.run_migrations()


run()
