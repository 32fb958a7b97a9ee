"""Read a file of order lines as orders, batch by batch: for ``nextoffer import orders`` and ``train --orders`` alike.

Adjacent lines of an order are never split between batches.
"""

from collections.abc import Iterable, Iterator

from service.base.money import AMOUNT_FIELDS
from service.orders.bulk import OrderBatch
from service.orders.line_parser import LineParser, ParsedLines
from service.orders.order_assembler import OrderAssembler
from service.rows.chunks import Chunk
from service.rows.import_run import ImportRun
from service.rows.product_matching import ProductMatcher


class OrderReader:
    """Reads the lines of one file; ``product_names`` are the names that they give to products, once they are read."""

    def __init__(self, import_run: ImportRun, matcher: ProductMatcher) -> None:
        self._import_run = import_run
        self._assembler = OrderAssembler(matcher)
        self.product_names = self._assembler.product_names

    def batches(self) -> Iterator[OrderBatch]:
        """Yield the good lines; refuses the others before their batch is yielded."""
        run = self._import_run
        parser = LineParser(run)
        for chunk in whole_orders(run.chunks(), run.columns["order_id"], run.options.batch_rows):
            parsed = parser.parse(chunk)
            batch, matched = self._assembler.assemble(parsed)
            run.refuse(chunk, parsed.row_errors)
            run.summary.matched += matched
            run.show(_shown_lines(parsed))
            yield batch


def _shown_lines(parsed: ParsedLines) -> Iterator[dict[str, object]]:
    for index, amount in enumerate(parsed.amounts):
        if index not in parsed.row_errors:
            line = {name: values[index] for name, values in parsed.fields.items() if name not in AMOUNT_FIELDS}
            yield {**line, "amount_minor": amount}


def whole_orders(chunks: Iterable[Chunk], column: str, batch_rows: int) -> Iterator[Chunk]:
    """Cut the chunks anew, between orders. The last order waits until it is known to be complete.

    An order so long that it fills four batches is split nevertheless: memory is bounded.
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
