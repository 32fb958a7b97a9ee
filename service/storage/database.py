"""The one engine, the one session dependency, and the check that the schema is current."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from service.base.errors import SchemaOutdated
from service.storage.schema_version import newest_revision, revision_of
from service.storage.text_search import SQLITE_LOWER

if TYPE_CHECKING:
    from alembic.config import Config


class Base(DeclarativeBase):
    """Parent of every table class; names constraints so that migrations can alter them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite has no such type: there it is stored as naive UTC text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time was given where an aware one is needed")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


QUICK_TO_NOTICE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}
"""libpq's parameters: a server that has vanished is noticed within seconds, not within TCP's quarter of an hour."""
LOG_PATIENCE_SECONDS: Final = 10.0


def create_database_engine(url: str, *, busy_seconds: int = 30) -> Engine:
    """Make an engine for SQLite or PostgreSQL with the settings that each needs.

    busy_seconds: how long SQLite waits for another writer.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, connect_args=QUICK_TO_NOTICE)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: a deferred one fails at its first write under load.
    connection.isolation_level = None
    # FULL: what was acknowledged is on the disk, should the power fail. With 32 MiB of cache, and the log copied every
    # 16 MiB, the index of a large decision log is written about a third faster.
    settings = (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32768",
        "wal_autocheckpoint=4000",
    )
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    connection.create_function(SQLITE_LOWER, 1, _lower, deterministic=True)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin_immediate(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def read_connection(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads: on SQLite it neither waits for a writer nor makes one wait."""
    with engine.connect().execution_options(sqlite_begin="DEFERRED") as connection:
        yield connection


def empty_write_ahead_log(engine: Engine) -> bool:
    """Have SQLite copy its log into the database and cut it off: what was deleted would stay readable in it.

    Returns whether it is empty: not while another connection reads or copies it for longer than LOG_PATIENCE_SECONDS.
    """
    if engine.dialect.name != "sqlite":
        return True
    deadline = monotonic() + LOG_PATIENCE_SECONDS
    connection = engine.raw_connection()
    try:
        # SQLite waits for readers, but not for a connection that copies the log at the same time.
        while connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if monotonic() > deadline:
                return False
            sleep(0.05)
    finally:
        connection.close()
    return True


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions that write."""
    return sessionmaker(engine, expire_on_commit=False)


def read_session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions that only read: on SQLite they never wait for a writer."""
    return sessionmaker(engine.execution_options(sqlite_begin="DEFERRED"), expire_on_commit=False)


@contextmanager
def session_scope(factory: sessionmaker[Session]) -> Iterator[Session]:
    """Commit on success, roll back on any exception."""
    with factory() as session, session.begin():
        yield session


def migrations_folder() -> Path:
    """Where the Alembic scripts are: inside an installed wheel, or beside the packages in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade_schema(url: str, revision: str = "head") -> None:
    """Create the schema, or upgrade it."""
    from alembic import command

    command.upgrade(alembic_config(url), revision)


def alembic_config(url: str | URL) -> "Config":
    """Alembic's configuration without an ini file."""
    # Alembic takes as long to load as all else that a short command needs.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    text = url.render_as_string(hide_password=False) if isinstance(url, URL) else url
    config.set_main_option("sqlalchemy.url", text.replace("%", "%%"))
    return config


def refuse_outdated_schema(url: str) -> None:
    """Check the schema of a database that is not open; raises SchemaOutdated. A missing SQLite file is not made."""
    file = make_url(url).database if url.startswith("sqlite") else None
    if file and not Path(file).exists():
        raise SchemaOutdated(None, newest_revision(migrations_folder()))
    engine = create_database_engine(url)
    try:
        check_schema(engine)
    finally:
        engine.dispose()


def check_schema(engine: Engine) -> None:
    """Raise SchemaOutdated unless the database is at the newest migration."""
    wanted = newest_revision(migrations_folder())
    with read_connection(engine) as connection:
        revision = revision_of(connection)
    if revision != wanted:
        raise SchemaOutdated(revision, wanted)
