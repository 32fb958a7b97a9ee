"""Import deals from files."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Engine

from service.deals.queries import upsert_deals
from service.deals.resolve import resolve_deals
from service.deals.schemas import DealIn
from service.orders.queries import matcher_of_all_products
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun
from service.rows.record_import import RecordImport, Resolve
from service.rows.validation import RowErrors
from service.storage.database import read_connection


def _deal_resolver(engine: Engine, import_run: ImportRun) -> Resolve:
    options = import_run.options
    with read_connection(engine) as connection:
        matcher = matcher_of_all_products(connection, options)

    def resolve(deals: Mapping[int, DealIn]) -> tuple[dict[int, dict[str, Any]], RowErrors]:
        records, row_errors = resolve_deals(deals, matcher, options.default_currency)
        products = ((deals[index].product_id, record["product_id"]) for index, record in records.items())
        import_run.summary.matched.update((written, known) for written, known in products if written != known)
        return records, row_errors

    return resolve


DEAL_RECORDS: Final = RecordImport(
    row=DealIn,
    key="deal_id",
    upsert=upsert_deals,
    resolver=_deal_resolver,
    times={
        "opened_at": datetime.fromisoformat,
        "closed_at": datetime.fromisoformat,
        "expected_close": date.fromisoformat,
    },
)
DEAL_IMPORT: Final = ImportKind(
    name="deals",
    help="""Import deals: deal_id, account_id, product_id, stage, status, value, currency, opened_at, closed_at.

    Also expected_close; and value_minor in place of value. Status is open, won or lost: if left out, what the stage
    says. A won deal needs closed_at and becomes an order, so that the same purchases must not be imported as orders.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """,
    fields=tuple(DealIn.model_fields),
    mandatory=("deal_id", "product_id", "stage"),
    import_rows=DEAL_RECORDS.import_rows,
    kinds={
        **dict.fromkeys(("opened_at", "closed_at", "expected_close"), "date"),
        **dict.fromkeys(("value", "value_minor"), "number"),
    },
    takes_default_currency=True,
    takes_unknown_products=True,
)
