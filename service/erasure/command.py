"""``nextoffer erase``: forget an account."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from service.accounts.errors import UnknownAccount
from service.base.settings import Settings
from service.erasure.artifacts import artifacts_naming
from service.erasure.queries import erase_account
from service.offers.smoke import smoke_test
from service.storage.database import check_schema, create_database_engine, empty_write_ahead_log
from service.storage.turns import wait_for_writers
from service.sync.artifact_store import ArtifactStore


def erase(
    account_id: Annotated[str, typer.Argument(help="Your identifier of the account.")],
    delete_orders: Annotated[
        bool, typer.Option("--delete-orders", help="Delete its orders, instead of keeping them as guests' orders.")
    ] = False,
) -> None:
    """Forget a person: delete an account and all that is stored under it. Running services follow within a second."""
    settings = Settings()
    versions = list(artifacts_naming(ArtifactStore(settings.artifacts_dir, smoke_test), account_id))
    engine = create_database_engine(settings.database_url)
    try:
        check_schema(engine)
        with engine.begin() as connection:
            wait_for_writers(connection)
            erased = erase_account(connection, account_id, datetime.now(UTC), deletes_orders=delete_orders)
            if not (erased.is_anything or versions):
                raise UnknownAccount(account_id)
        is_log_empty = empty_write_ahead_log(engine)
    finally:
        engine.dispose()
    orders = "deleted" if delete_orders else "kept as guests' orders"
    typer.echo(f"Erased. Orders {orders}: {erased.orders:,}; deals deleted: {erased.deals:,}; decisions deleted: "
               f"{erased.decisions:,}.")  # fmt: skip
    if not is_log_empty:
        typer.echo(
            "SQLite's log still names it, since it was in use. The running service empties it when it cleans up."
        )
    if erased.is_objecting:
        typer.echo("It objected to marketing: if it is stored again, it objects until it grants.")
    if versions:
        typer.echo(f"Hidden in these artifacts, whose files still name it: {', '.join(versions)}. Train a new one, and "
                   "delete these.")  # fmt: skip
