"""Import order lines from files, batch by batch.

Each batch is one transaction, so a killed import leaves whole orders behind (or, where a file scatters an order's
lines, some of its lines); importing the file again completes it.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from service.catalogue.live import PRODUCTS_CHANGED
from service.orders.bulk import rename_stubs, write_orders
from service.orders.currency_check import currency_warnings
from service.orders.order_reader import OrderReader
from service.orders.queries import matcher_of_all_products
from service.orders.schemas import LINE_FIELDS
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun, import_transaction
from service.storage.changes import ChangeLog
from service.storage.database import read_connection


def import_orders(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Import the lines of one file."""
    with read_connection(engine) as connection:
        matcher = matcher_of_all_products(connection, import_run.options)
    reader, summary = OrderReader(import_run, matcher), import_run.summary
    currencies: set[str | None] = set()
    for batch in reader.batches():
        with import_transaction(engine, import_run.options) as connection:
            changes = ChangeLog()
            written = write_orders(connection, batch, now, changes)
            changes.write(connection, now)
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
        summary.warnings = currency_warnings(connection, currencies)


ORDER_IMPORT: Final = ImportKind(
    name="orders",
    help="""Import order lines: order_id, account_id, product_id, ordered_at, quantity, currency, status, product_name.

    Their money is one of amount, amount_minor, unit_price and unit_price_minor. Without an account a line is a guest's;
    a negative quantity is a return. Importing a file again changes nothing, and completes an import that was cut off.
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
)
