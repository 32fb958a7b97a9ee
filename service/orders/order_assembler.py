"""From validated order lines to orders that can be written."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import UTC, datetime, tzinfo
from itertools import compress
from typing import Any

import numpy as np

from service.orders.bulk import LineColumns, OrderBatch, OrderColumns
from service.orders.line_parser import ParsedLines
from service.orders.order_headers import Header, HeaderIndex, find_contradictions
from service.orders.stored_headers import StoredHeaders, compare_with_stored, file_orders
from service.rows.chunks import RowError
from service.rows.duplicate_index import DuplicateIndex, Hashes, count_repeats, hash_keys, hash_pairs
from service.rows.guest_values import GuestValues
from service.rows.notes import Notes
from service.rows.order_options import OrderOptions
from service.rows.product_matching import ProductMatcher, UnknownProductRejected
from service.rows.validation import RowErrors


@dataclass(frozen=True, slots=True)
class _Lines:
    """Good lines, by column. ``rows`` are their positions in the chunk."""

    rows: Sequence[int]
    order_ids: list[str]
    product_ids: list[str]
    account_ids: list[str | None]
    currencies: list[str | None]
    statuses: list[str]
    times: list[datetime]
    quantities: list[float]
    amounts: list[int | None]
    names: list[str | None]

    def without(self, refused: Container[int]) -> "_Lines":
        """The lines whose position in the chunk was not refused."""
        flags = [row not in refused for row in self.rows]
        return _Lines(*(list(compress(getattr(self, each.name), flags)) for each in fields_of(self)))

    def headers(self, zone: tzinfo) -> list[Header]:
        """What each line says of its order. zone: of days."""
        return list(map(Header, self.account_ids, self.currencies, self.statuses, _days(self.times, zone)))


@dataclass(frozen=True, slots=True)
class _Orders:
    """The distinct orders of a batch.

    first:   the first line of each order.
    of_line: the first line of each line's order.
    hashes:  shape (n_orders,), in the order of ``first``.
    """

    first: dict[str, int]
    of_line: list[int]
    hashes: Hashes

    @classmethod
    def from_ids(cls, order_ids: list[str]) -> "_Orders":
        first: dict[str, int] = {}
        of_line = [first.setdefault(order_id, index) for index, order_id in enumerate(order_ids)]
        return cls(first, of_line, hash_keys(first))

    def line_hashes(self) -> Hashes:
        """The hash of each line's order, shape (n_lines,)."""
        at_first = np.zeros(len(self.of_line), dtype=np.uint64)
        at_first[list(self.first.values())] = self.hashes
        return at_first[self.of_line]


class OrderAssembler:
    """Turns the lines of one file into batches to write, remembering what earlier batches held.

    zone: of the orders' days.
    """

    def __init__(
        self,
        matcher: ProductMatcher,
        options: OrderOptions,
        stored: StoredHeaders,
        notes: Notes,
        zone: tzinfo,
        *,
        has_accounts: bool,
    ) -> None:
        self._matcher = matcher
        self._options = options
        self._stored = stored
        self._guests = GuestValues(options.guest_values)
        self._notes = notes
        self._zone = zone
        self._has_accounts = has_accounts
        self._headers = HeaderIndex()
        self._last_order_id: str | None = None
        self.lines = DuplicateIndex(np.uint32)
        """How many lines each pair of order and product has in the file."""
        self.product_names: dict[str, str] = {}

    def assemble(self, parsed: ParsedLines) -> tuple[OrderBatch, Counter[tuple[str, str]]]:
        """Make the batch; rows that contradict the ones before, or what is stored, are added to ``parsed.row_errors``.

        Also counts the lines whose product was read as another.
        """
        product_ids = self._resolve(parsed)
        lines = _good_lines(parsed, product_ids)
        orders = _Orders.from_ids(lines.order_ids)
        earlier = self._headers.look_up(list(orders.first), orders.hashes)
        batch = OrderBatch()
        refused = self._contradictions(lines, orders, earlier)
        if refused:
            lines = lines.without(refused)
        refused_by_stored = self._compare_with_stored(lines, earlier, batch)
        if refused_by_stored:
            lines = lines.without(refused_by_stored)
        if refused or refused_by_stored:
            self._refuse(parsed, refused | refused_by_stored, batch)
            orders = _Orders.from_ids(lines.order_ids)
        self._last_order_id = lines.order_ids[-1] if lines.order_ids else self._last_order_id
        self._add_orders(lines, orders, earlier, batch)
        self._add_lines(lines, orders, batch)
        self._add_products(lines, batch)
        return batch, _matched(lines, parsed.fields["product_id"], product_ids)

    def _resolve(self, parsed: ParsedLines) -> list[str]:
        """The product that each line means."""
        written: list[str] = parsed.fields["product_id"]
        resolved: dict[str, str] = {}
        unknown: dict[str, RowError] = {}
        for product_id in set(written) - {None} - self._matcher.known:
            try:
                resolved[product_id] = self._matcher.resolve(product_id)
            except UnknownProductRejected as error:
                unknown[product_id] = RowError("product_id", str(error))
        for index, product_id in enumerate(written) if unknown else ():
            if product_id in unknown:
                parsed.row_errors[index] = (*parsed.row_errors.get(index, ()), unknown[product_id])
        is_as_written = all(product_id == known for product_id, known in resolved.items())
        return written if is_as_written else [resolved.get(product_id, product_id) for product_id in written]

    def _contradictions(self, lines: _Lines, orders: _Orders, earlier: Mapping[str, int]) -> RowErrors:
        """The errors of rows that contradict their order's header, in this batch or an earlier one."""
        columns: tuple[list[Any], ...] = (
            lines.account_ids,
            lines.currencies,
            lines.statuses,
            _days(lines.times, self._zone),
        )
        if not earlier and all(list(map(column.__getitem__, orders.of_line)) == column for column in columns):
            return {}
        found = find_contradictions(
            lines.rows, lines.order_ids, lines.headers(self._zone), earlier, self._headers, self._last_order_id
        )
        text = "order lines are of another day than the first line of their order, whose date counts"
        self._notes.add(text, found.days, found.example)
        if self._options.on_conflict == "replace":
            for row in found.of_days:
                del found.row_errors[row]
        return found.row_errors

    def _compare_with_stored(self, lines: _Lines, earlier: Mapping[str, int], batch: OrderBatch) -> RowErrors:
        """The errors of rows whose order contradicts the stored one; notes accounts that the stored orders have."""
        stored = self._stored([order_id for order_id in set(lines.order_ids) if order_id not in earlier])
        if not stored:
            return {}
        batch.stored_ids = set(stored)
        # Nearly all orders are as they are stored: their rows need no closer look.
        first = dict(zip(reversed(lines.order_ids), range(len(lines.order_ids) - 1, -1, -1), strict=True))
        suspects = {
            order_id: header
            for order_id, header in stored.items()
            if header != (lines.account_ids[first[order_id]], _day(lines.times[first[order_id]], self._zone))
        }
        if not suspects:
            return {}
        orders = file_orders(lines.order_ids, lines.account_ids, _days(lines.times, self._zone), suspects)
        mode = self._options.on_conflict
        found = compare_with_stored(orders, stored, mode, self._guests, has_accounts=self._has_accounts)
        for index, order_id in enumerate(lines.order_ids) if found.accounts else ():
            lines.account_ids[index] = found.accounts.get(order_id, lines.account_ids[index])
        if not found.errors:
            return {}
        pairs = zip(lines.rows, lines.order_ids, strict=True)
        return {row: (found.errors[order_id],) for row, order_id in pairs if order_id in found.errors}

    def _refuse(self, parsed: ParsedLines, refused: RowErrors, batch: OrderBatch) -> None:
        """Refuse rows, or leave them out where what came before is kept."""
        if self._options.on_conflict != "keep":
            parsed.row_errors.update(refused)
            return
        of_header = {row: errors for row, errors in refused.items() if errors[0].field in ("account_id", "ordered_at")}
        parsed.row_errors.update({row: errors for row, errors in refused.items() if row not in of_header})
        order_ids = parsed.fields["order_id"]
        batch.left_out_ids = {order_ids[row] for row in of_header}
        example = f"order {order_ids[min(of_header)]}" if of_header else ""
        text = "order lines were left out: their order has another account or day already (--on-conflict keep)"
        self._notes.add(text, len(of_header), example)

    def _add_orders(self, lines: _Lines, orders: _Orders, earlier: Mapping[str, int], batch: OrderBatch) -> None:
        """Add the orders that begin in this batch, each with the header of its first row."""
        is_new = [order_id not in earlier for order_id in orders.first]
        order_ids = list(compress(orders.first, is_new))
        first = list(compress(orders.first.values(), is_new))
        account_ids = list(map(lines.account_ids.__getitem__, first))
        currencies = list(map(lines.currencies.__getitem__, first))
        statuses = list(map(lines.statuses.__getitem__, first))
        times = list(map(lines.times.__getitem__, first))
        days = _days(times, self._zone)
        self._headers.add(orders.hashes[np.array(is_new, dtype=np.bool_)], account_ids, currencies, statuses, days)
        are_cancelled = [status == "cancelled" for status in statuses]
        batch.orders = OrderColumns(order_ids, account_ids, times, currencies, are_cancelled)
        batch.account_ids = {account_id for account_id in account_ids if account_id is not None}

    def _add_lines(self, lines: _Lines, orders: _Orders, batch: OrderBatch) -> None:
        """Give each line its ordinal: how many lines before it in the file have the same order and product."""
        hashes = hash_pairs(orders.line_hashes(), hash_keys(lines.product_ids))
        repeats, distinct, counts = count_repeats(hashes)
        before = self.lines.look_up(distinct)
        if before.any():
            repeats += before[np.searchsorted(distinct, hashes)]
        self.lines.add(distinct, counts)
        batch.lines = LineColumns(lines.order_ids, lines.product_ids, repeats.tolist(), lines.quantities, lines.amounts)

    def _add_products(self, lines: _Lines, batch: OrderBatch) -> None:
        """Note the products to add, and the latest name of each product that any line names."""
        unknown = set(lines.product_ids) - self._matcher.known
        batch.product_names = {product_id: product_id for product_id in unknown}
        self._matcher.known |= unknown
        if any(lines.names):
            names = zip(lines.product_ids, lines.names, strict=True)
            self.product_names.update((product_id, name) for product_id, name in names if name)


def _day(time: datetime, zone: tzinfo) -> int:
    """The day of a time in a zone, as ``date.toordinal`` counts."""
    return time.astimezone(zone).toordinal()


def _days(times: Sequence[datetime], zone: tzinfo) -> list[int]:
    if zone is UTC:
        return list(map(datetime.toordinal, times))
    return [_day(time, zone) for time in times]


def _good_lines(parsed: ParsedLines, product_ids: list[str]) -> _Lines:
    fields = parsed.fields
    lines = _Lines(
        range(len(parsed.amounts)),
        fields["order_id"],
        product_ids,
        fields["account_id"],
        fields["currency"],
        fields["status"],
        fields["ordered_at"],
        fields["quantity"],
        parsed.amounts,
        fields["product_name"],
    )
    return lines.without(parsed.row_errors) if parsed.row_errors else lines


def _matched(lines: _Lines, written: list[str], resolved: list[str]) -> Counter[tuple[str, str]]:
    if written is resolved:
        return Counter()
    return Counter((written[row], resolved[row]) for row in lines.rows if written[row] != resolved[row])
