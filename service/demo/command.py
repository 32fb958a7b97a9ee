"""``nextoffer demo``: from real order lines to a running service; a second run does only what is missing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.auth.keys import parse_key
from service.auth.queries import create_key
from service.auth.tables import ApiKey
from service.base.progress import console, show_steps
from service.base.settings import Settings
from service.demo import CURRENCY
from service.imports.command import run_import
from service.offers.smoke import smoke_test
from service.orders.tables import OrderLine
from service.rows.options import AttributeType, ImportOptions
from service.rows.value_formats import FormatOptions, parse_zone
from service.server.serving import serve
from service.storage.database import (
    create_database_engine,
    read_session_factory,
    session_factory,
    session_scope,
    upgrade_schema,
)
from service.sync.artifact_store import ArtifactStore
from service.training.command import offline_module, train_and_publish
from service.training.show_report import show_report

FOLDER = Path("var/demo")
KEY_PATH = FOLDER / "api-key"
ACCOUNT_TYPES: dict[str, AttributeType] = {"household_size": "text", "kids_count": "text"}
"""They hold ``5+`` and ``3+``."""
ORDER_COLUMNS = (
    ("household_id", "account_id"),
    ("basket_id", "order_id"),
    ("transaction_timestamp", "ordered_at"),
    ("sales_value", "amount"),
)
ACCOUNT = "1"
BASKET = ("1029743", "1082185")
"""A gallon of milk and bananas."""


def demo(
    serving: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve when everything is there.")] = True,
) -> None:
    """Import a year of real grocery orders, train, evaluate, publish and serve, all of it under ./var.

    The data is The Complete Journey by 84.51°: 2,469 households and 1,469,307 order lines of 2017.
    """
    settings = Settings()
    upgrade_schema(settings.database_url)
    engine = create_database_engine(settings.database_url)
    line_count = offline_module("service.demo.dataset").count_order_lines()
    with session_scope(read_session_factory(engine)) as session:
        is_imported = count_lines(session) >= line_count
    if not is_imported:
        import_everything(settings.timezone)
    store = ArtifactStore(settings.artifacts_dir, smoke_test)
    if store.active_version() is None:
        train_first_artifact(settings, store)
    with session_scope(session_factory(engine)) as session:
        key = kept_key(session) or make_key(session)
    engine.dispose()
    show_what_to_try(settings, key, store.active_version() or "")
    if serving:
        serve()


def count_lines(session: Session) -> int:
    """The order lines that are there: an import that was cut off is completed by a second one."""
    return session.scalar(select(func.count()).select_from(OrderLine)) or 0


def import_everything(timezone: str) -> None:
    """Import accounts, products and order lines. timezone: of the orders' times, which name no offset."""
    with show_steps() as step:
        step("read the demo's data")
        files = offline_module("service.demo.dataset").prepare_files(FOLDER)
    run_import("accounts", [files.accounts], ImportOptions(attribute_types=ACCOUNT_TYPES))
    run_import("products", [files.products], ImportOptions())
    options = ImportOptions(
        mapping=ORDER_COLUMNS,
        default_currency=CURRENCY,
        rejects=FOLDER / "transactions.rejects.csv",
        formats=FormatOptions(zone=parse_zone(timezone)),
    )
    run_import("orders", [files.orders], options)


def train_first_artifact(settings: Settings, store: ArtifactStore) -> None:
    """Train with the defaults and publish."""
    sources, offline = offline_module("models.data.sources.local"), offline_module("models.train")
    with show_steps() as step:
        step("read the sales history")
        history = sources.history_from_database(
            settings.database_url, settings.reporting_currency or None, settings.timezone
        )
        trained = train_and_publish(history, offline.TrainingOptions(), store, step)
    show_report(trained.report)


def kept_key(session: Session) -> str | None:
    """The key of an earlier run, if this database knows it."""
    text = KEY_PATH.read_text().strip() if KEY_PATH.exists() else ""
    parsed = parse_key(text)
    return text if parsed and session.get(ApiKey, parsed[0]) else None


def make_key(session: Session) -> str:
    """Make the demo's key and keep it, readable by its owner alone, for the next run."""
    key = create_key(session, "demo", ["admin"], datetime.now(UTC))
    FOLDER.mkdir(parents=True, exist_ok=True)
    KEY_PATH.touch(mode=0o600)
    KEY_PATH.write_text(key + "\n")
    return key


def show_what_to_try(settings: Settings, key: str, version: str) -> None:
    """Print the key and four calls: an account, a basket, where there is room, an artifact's metrics."""
    url = f"http://{settings.host}:{settings.port}/v1"
    basket = ", ".join(f'"{product}"' for product in BASKET)
    bearer = 'curl -H "Authorization: Bearer $KEY"'
    json_body = f'-H "Content-Type: application/json" -d \'{{"basket": [{basket}]}}\''
    lines = (
        "",
        "Try, in another terminal:",
        f"  export KEY={key}",
        f"  {bearer} {url}/recommendations/{ACCOUNT}",
        f"  {bearer} {json_body} {url}/recommendations",
        f"  {bearer} {url}/accounts/{ACCOUNT}/whitespace",
        f"  {bearer} {url}/artifacts/{version}",
        "",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
