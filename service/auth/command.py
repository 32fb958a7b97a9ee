"""``nextoffer keys``: make, list, rotate and revoke API keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from service.auth.origins import split_origins
from service.auth.queries import create_key, list_keys, revoke_key, rotate_key
from service.auth.tables import ApiKey
from service.base.listing import AsJson, print_list
from service.base.settings import Settings
from service.storage.database import (
    check_schema,
    create_database_engine,
    read_session_factory,
    session_factory,
    session_scope,
)

COLUMNS = ("key_id", "label", "scopes", "origins", "rate_limit", "created_at", "expires_at", "state")

app = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    scopes: Annotated[
        str,
        typer.Option(
            help="Comma-separated: recommend, read, write, metrics, admin (all of these); or "
            "storefront alone, for web pages."
        ),
    ],
    label: Annotated[str, typer.Option(help="What the key is for, such as `checkout`.")] = "",
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, help="Days until it expires; never if left out.")
    ] = None,
    rate_limit: Annotated[
        str | None, typer.Option(help="How often it may ask, such as 100/second; else NEXTOFFER_RATE_LIMIT.")
    ] = None,
    origins: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="With the scope storefront: whose pages may use it, such as https://shop.example. Repeatable, or "
            "comma-separated.",
        ),
    ] = None,
) -> None:
    """Make a key. Its text is shown this once: only a hash of it is stored."""
    with _database() as session:
        named = [origin for text in origins or () for origin in text.split(",")]
        text = create_key(session, label, scopes.split(","), datetime.now(UTC), expires_in_days, rate_limit, named)
    show_once(text)


@app.command("list")
def show_all(is_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    with _database(read_session_factory) as session:
        keys = [_item(key) for key in list_keys(session)]
    print_list(COLUMNS, keys, is_json=is_json)


@app.command()
def rotate(
    key_id: str,
    overlap_minutes: Annotated[int, typer.Option(min=0, help="How long the old key goes on to work.")] = 60,
) -> None:
    """Make a key with the same scopes, label, origins and limit in place of another, which then expires."""
    with _database() as session:
        text = rotate_key(session, key_id, datetime.now(UTC), timedelta(minutes=overlap_minutes))
    show_once(text)


def show_once(text: str) -> None:
    """Print a new key: the key alone on standard output, so that a script can take it."""
    typer.echo(text)
    typer.echo("Keep this key now: it is not stored and can't be shown again.", err=True)


@app.command()
def revoke(key_id: str) -> None:
    """Revoke a key. Running services refuse it within about a second."""
    with _database() as session:
        revoke_key(session, key_id, datetime.now(UTC))
    typer.echo(f"Revoked {key_id}.")


@contextmanager
def _database(factory: Callable[[Engine], sessionmaker[Session]] = session_factory) -> Iterator[Session]:
    engine = create_database_engine(Settings().database_url)
    try:
        check_schema(engine)
        with session_scope(factory(engine)) as session:
            yield session
    finally:
        engine.dispose()


def _item(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "label": key.label,
        "scopes": key.scopes.split(","),
        "origins": list(split_origins(key.origins)),
        "rate_limit": key.rate_limit,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "state": _state(key),
    }


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= datetime.now(UTC) else "active"
