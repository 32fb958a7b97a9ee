"""Two servers that start at once migrate once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from service.storage.database import alembic_config, check_schema, create_database_engine
from tests.conftest import POSTGRES_URL

AT_ONCE = 4


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> Iterator[str]:
    """A database without a single table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    request.getfixturevalue("migrated_postgres")  # skips or fails where there is no PostgreSQL
    url = POSTGRES_URL.set(database=f"nextoffer_empty_{worker_id}_{os.getpid()}")
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {url.database}"))
    yield url.render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {url.database} WITH (FORCE)"))
    server.dispose()


@pytest.mark.slow
def test_servers_that_migrate_at_once_do_not_fail_each_other(empty_url: str) -> None:
    arguments = [str(Path(sys.executable).with_name("nextoffer")), "db", "upgrade"]
    environment = {**os.environ, "NEXTOFFER_DATABASE_URL": empty_url}

    processes = [
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(AT_ONCE)
    ]
    outputs = [process.communicate(timeout=60)[0].decode() for process in processes]

    assert [process.returncode for process in processes] == [0] * AT_ONCE, outputs
    engine = create_database_engine(empty_url)
    check_schema(engine)
    with engine.connect() as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    engine.dispose()
    assert list(heads) == ScriptDirectory.from_config(alembic_config(empty_url)).get_heads()


def test_the_product_of_a_deal_becomes_its_line_and_back(empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0005")
    engine = create_database_engine(empty_url)
    deals = "INSERT INTO deals (deal_id, product_id, stage, status, value_minor, updated_at) VALUES ({})"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO products (product_id, name, attributes, is_active, is_stub, updated_at) "
                "VALUES ('p', 'P', '{}', true, false, '2024-01-01 00:00:00')"
            )
        )
        connection.execute(text(deals.format("'d', 'p', 'Demo', 'open', 500, '2024-01-01 00:00:00'")))
        connection.execute(text(deals.format("'e', 'p', 'Lost', 'lost', NULL, '2024-01-01 00:00:00'")))

    command.upgrade(config, "head")
    with engine.begin() as connection:
        lines = connection.execute(text("SELECT * FROM deal_lines ORDER BY deal_id")).all()
        kept = connection.execute(text("SELECT deal_id, stage, value_minor FROM deals ORDER BY deal_id")).all()
        connection.execute(text("INSERT INTO deal_lines VALUES ('d', 'p', 1, 2.0, 700)"))
    command.downgrade(config, "0005")

    with engine.connect() as connection:
        back = connection.execute(text("SELECT deal_id, product_id, value_minor FROM deals ORDER BY deal_id")).all()
    engine.dispose()
    assert [tuple(line) for line in lines] == [("d", "p", 0, 1.0, 500), ("e", "p", 0, 1.0, None)]
    assert [tuple(row) for row in kept] == [("d", "Demo", None), ("e", "Lost", None)]
    assert [tuple(row) for row in back] == [("d", "p", 1200), ("e", "p", None)]
