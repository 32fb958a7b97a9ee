"""Import a file of order lines, batch by batch.

Each batch is one transaction. Adjacent lines of an order are never parted, so a killed import leaves whole orders
behind (or, where a file scatters an order's lines, some of its lines); importing the file again completes it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, select

from service.catalogue.live import PRODUCTS_CHANGED
from service.catalogue.tables import Product
from service.orders.bulk import rename_stubs, write_orders
from service.orders.order_lines import LineAssembler, LineParser
from service.orders.schemas import LINE_FIELDS, MANDATORY_LINE_FIELDS
from service.rows.chunks import Chunk
from service.rows.import_run import ImportRun
from service.rows.product_matching import ProductMatcher
from service.storage.changes import ChangeLog

ORDER_FIELDS: Final = tuple(LINE_FIELDS)
MANDATORY_ORDER_FIELDS: Final = MANDATORY_LINE_FIELDS


def import_orders(engine: Engine, intake: ImportRun, now: datetime) -> None:
    """Import the lines of one file."""
    matcher = product_matcher(engine, intake)
    parser = LineParser(intake.columns, intake.options.default_currency)
    assembler = LineAssembler(matcher)
    for chunk in whole_orders(intake.chunks(), intake.columns["order_id"], intake.options.batch_rows):
        parsed = parser.parse(chunk)
        batch, matched = assembler.assemble(parsed)
        intake.refuse(chunk, parsed.faults)
        with engine.begin() as connection:
            changes = ChangeLog()
            written = write_orders(connection, batch, now, changes)
            changes.write(connection, now)
        summary = intake.summary
        summary.matched += matched
        summary.account_stubs += written.account_stubs
        summary.product_stubs += written.product_stubs
        summary.orders.add(*written.orders, given=len(batch.orders))
        summary.rows.add(*written.lines, given=len(batch.lines))
    with engine.begin() as connection:
        changes = ChangeLog()
        changes.touch(PRODUCTS_CHANGED, rename_stubs(connection, assembler.product_names, now))
        changes.write(connection, now)


def product_matcher(engine: Engine, intake: ImportRun) -> ProductMatcher:
    """A matcher that knows all products that are stored."""
    with engine.connect().execution_options(sqlite_begin="DEFERRED") as connection:
        rows = connection.execute(select(Product.product_id, Product.is_stub))
        stubs = {product_id: is_stub for product_id, is_stub in rows}  # noqa: C416  a Row is no pair to mypy
    described = [product_id for product_id, is_stub in stubs.items() if not is_stub]
    return ProductMatcher(set(stubs), lambda: described, intake.options.unknown_products)


def whole_orders(chunks: Iterable[Chunk], column: str, batch_rows: int) -> Iterator[Chunk]:
    """Cut the chunks anew, between orders. The last order waits until it is known to be complete.

    An order so long that it fills four batches is parted after all: memory is bounded.
    """
    waiting = Chunk([], {})
    for chunk in chunks:
        held = waiting.followed_by(chunk) if waiting.lines else chunk
        cut = _start_of_last_order(held.columns.get(column, []))
        if cut == 0 and len(held.lines) >= 4 * batch_rows:
            cut = len(held.lines)
        ready, waiting = held.split(cut)
        yield ready
    if waiting.lines:
        yield waiting


def _start_of_last_order(order_ids: list[object]) -> int:
    start = len(order_ids)
    while start and order_ids[start - 1] == order_ids[-1]:
        start -= 1
    return start
