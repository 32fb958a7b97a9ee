"""Read a file of order lines as orders, batch by batch: for ``nextoffer import orders`` and ``train --orders`` alike.

Adjacent lines of an order are never split between batches.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from service.base.money import AMOUNT_FIELDS
from service.orders.bulk import OrderBatch
from service.orders.frequent_accounts import FrequentAccounts
from service.orders.line_parser import LineParser, ParsedLines
from service.orders.order_assembler import OrderAssembler
from service.orders.order_filter import OrderFilter
from service.orders.order_keys import OrderKey
from service.orders.removal import OrderFiles
from service.orders.stored_headers import StoredHeader, StoredHeaders
from service.rows.chunks import Chunk, RowError
from service.rows.guest_values import GuestValues
from service.rows.import_run import ImportRun
from service.rows.plausible_dates import PlausibleDates
from service.rows.product_matching import ProductMatcher


def nothing_stored(_: Sequence[str]) -> Mapping[str, StoredHeader]:
    """No order is stored."""
    return {}


class OrderReader:
    """Reads the lines of one file; ``product_names`` are the names that they give to products, once they are read.

    now:          dates after it are in the future.
    stored:       looks up orders that are stored.
    stored_years: counts the stored orders by year.
    """

    def __init__(
        self,
        import_run: ImportRun,
        matcher: ProductMatcher,
        now: datetime,
        stored: StoredHeaders = nothing_stored,
        stored_years: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        options, notes = import_run.options.orders, import_run.summary.counted_notes
        self._import_run = import_run
        self._key = OrderKey(import_run)
        has_accounts = "account_id" in import_run.columns
        zone = import_run.options.formats.zone
        self._assembler = OrderAssembler(matcher, options, stored, notes, zone, has_accounts=has_accounts)
        self._guests = GuestValues(options.guest_values)
        self._dates = PlausibleDates(options.dates, now, stored_years, zone=zone)
        self._files = import_run.memory.part(OrderFiles)
        self._files.line_indexes.append(self._assembler.lines)
        self.product_names = self._assembler.product_names

    def batches(self) -> Iterator[OrderBatch]:
        """Yield the good lines; refuses the others before their batch is yielded."""
        run = self._import_run
        parser = LineParser(self._key.keyed(run))
        where = dict.fromkeys(condition.column for condition in run.conditions())
        order_filter = OrderFilter(self._key, list(where), run.summary.counted_notes)
        chunks = map(self._key.add_to, run.chunks(order_filter.condition_columns))
        frequent = run.memory.part(FrequentAccounts)
        for chunk in whole_orders(chunks, self._key.column, run.options.batch_rows):
            parsed = parser.parse(chunk)
            self._replace_guests(parsed)
            self._refuse_implausible_dates(parsed)
            batch, matched = self._assembler.assemble(parsed)
            self._files.note_refused(parsed.fields["order_id"], parsed.row_errors, len(chunk.unreadable))
            run.refuse(self._key.remove_from(chunk), parsed.row_errors)
            self._files.note_batch(batch, run.options)
            frequent.add(batch.orders.account_ids)
            run.summary.matched += matched
            run.show(_shown_lines(parsed))
            yield batch

    def _replace_guests(self, parsed: ParsedLines) -> None:
        """Make guests' lines of those whose account is a placeholder."""
        accounts = parsed.fields["account_id"]
        placeholders = {account_id for account_id in set(accounts) if account_id in self._guests}
        if not placeholders:
            return
        counts = Counter(account_id for account_id in accounts if account_id in placeholders)
        for value, count in sorted(counts.items()):
            self._import_run.summary.counted_notes.add(f"order lines of account {value!r} were read as guests'", count)
        parsed.fields["account_id"] = [None if account in placeholders else account for account in accounts]

    def _refuse_implausible_dates(self, parsed: ParsedLines) -> None:
        wrong = self._dates.errors(parsed.fields["ordered_at"])
        example = f"order {parsed.fields['order_id'][min(wrong)]}: {wrong[min(wrong)]}" if wrong else ""
        text = "order lines were refused for dates in the future or decades from all others"
        self._import_run.summary.counted_notes.add(text, len(wrong), example, is_warning=True)
        for index, reason in wrong.items():
            errors = parsed.row_errors.get(index, ())
            parsed.row_errors[index] = (*errors, RowError("ordered_at", reason))


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
