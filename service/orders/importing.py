"""Import order lines from files, batch by batch.

Each batch is one transaction, so a killed import leaves whole orders behind (or, where a file scatters an order's
lines, some of its lines); importing the file again completes it. What the files lack is removed after the last of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from service.catalogue.live import PRODUCTS_CHANGED
from service.orders.bulk import RolledBack, rename_stubs, write_orders
from service.orders.currency_check import currency_warnings
from service.orders.order_reader import OrderReader
from service.orders.queries import count_by_year, matcher_of_all_products
from service.orders.removal import OrderFiles, finish_orders, surplus_lines
from service.orders.schemas import LINE_FIELDS
from service.orders.stored_headers import StoredHeader, stored_headers
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun, import_transaction
from service.storage.changes import ChangeLog
from service.storage.database import read_connection


def import_orders(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Import the lines of one file."""
    with read_connection(engine) as connection:
        matcher = matcher_of_all_products(connection, import_run.options)

    def stored(order_ids: Sequence[str]) -> dict[str, StoredHeader]:
        with read_connection(engine) as connection:
            return stored_headers(connection, order_ids, import_run.options.formats.zone)

    def stored_years() -> dict[int, int]:
        with read_connection(engine) as connection:
            return count_by_year(connection)

    reader, summary = OrderReader(import_run, matcher, now, stored, stored_years), import_run.summary
    files, replaces_lines = import_run.memory.part(OrderFiles), import_run.options.orders.lines == "replace"
    currencies: set[str | None] = set()
    for batch in reader.batches():
        with import_transaction(engine, import_run.options) as connection:
            changes = ChangeLog()
            if import_run.options.is_dry_run:
                import_run.memory.part(RolledBack).restore(connection, batch, now)
            written = write_orders(connection, batch, now, changes)
            surplus = surplus_lines(written.other_lines, batch) if replaces_lines else []
            changes.write(connection, now)
        files.note_surplus(surplus)
        currencies.update(batch.orders.currencies)
        summary.account_stubs += written.account_stubs
        summary.product_stubs += written.product_stubs
        summary.orders.add(*written.orders, given=len(batch.orders))
        summary.rows.add(*written.lines, given=len(batch.lines))
    with import_transaction(engine, import_run.options) as connection:
        changes = ChangeLog()
        changes.touch(PRODUCTS_CHANGED, rename_stubs(connection, reader.product_names, now))
        changes.write(connection, now)
    with read_connection(engine) as connection:
        summary.warnings = currency_warnings(connection, currencies, import_run.options.formats.zone)


ORDER_IMPORT: Final = ImportKind(
    name="orders",
    help="""Import order lines: order_id, account_id, product_id, ordered_at, quantity, currency, status, product_name.

    Their money is one of amount, amount_minor, unit_price and unit_price_minor. Without an account a line is a guest's;
    a negative quantity is a return. Importing a file again changes nothing, and completes an import that was cut off.

    An order's lines replace those that are stored of it: lines that none of the files holds are removed, but not with
    --lines add, for files that hold orders in parts. Rows that contradict the stored order of their number are refused,
    and dates in the future or decades from all others.
    """,
    fields=tuple(LINE_FIELDS),
    mandatory=("order_id", "product_id", "ordered_at"),
    import_rows=import_orders,
    row_noun="order lines",
    kinds={
        "ordered_at": "date",
        **dict.fromkeys(("quantity", "amount", "amount_minor", "unit_price", "unit_price_minor"), "number"),
    },
    takes_default_currency=True,
    takes_unknown_products=True,
    takes_complete=True,
    takes_orders=True,
    takes_account_values=True,
    finish=finish_orders,
)
