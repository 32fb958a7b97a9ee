"""From validated order lines to orders that can be written."""

from collections import Counter
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from itertools import compress, repeat
from typing import Final

import numpy as np

from service.orders.bulk import OrderBatch
from service.orders.line_parser import ParsedLines
from service.rows.chunks import RowError
from service.rows.duplicate_index import DuplicateIndex
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


def _good_lines(parsed: ParsedLines, product_ids: list[str]) -> _Lines:
    own = parsed.fields
    lines = _Lines(
        range(len(parsed.amounts)),
        own["order_id"],
        product_ids,
        own["account_id"],
        own["currency"],
        own["status"],
        own["ordered_at"],
        own["quantity"],
        parsed.amounts,
        own["product_name"],
    )
    return lines.without(parsed.row_errors) if parsed.row_errors else lines


_Kind = tuple[str | None, str]
"""Currency and status: what all lines of an order have in common beside the account."""


class OrderAssembler:
    """Turns the lines of one file into batches to write, remembering what earlier batches held.

    An order's header is that of its first good row. A later row may leave its account out, but not contradict it.
    """

    def __init__(self, matcher: ProductMatcher) -> None:
        self._matcher = matcher
        self._orders = DuplicateIndex(np.uint64)
        self._lines = DuplicateIndex(np.uint32)
        self._kinds: list[_Kind] = []
        self.product_names: dict[str, str] = {}

    def assemble(self, parsed: ParsedLines) -> tuple[OrderBatch, Counter[tuple[str, str]]]:
        """Make the batch; rows that contradict the ones before are added to ``parsed.row_errors``.

        Also counts the lines whose product was read as another.
        """
        product_ids = self._resolve(parsed)
        lines = _good_lines(parsed, product_ids)
        earlier = self._orders.look_up(list(set(lines.order_ids)))
        if refused := self._contradictions(lines, earlier):
            parsed.row_errors.update(refused)
            lines = lines.without(refused)
        batch = OrderBatch()
        self._add_orders(lines, earlier, batch)
        self._add_lines(lines, earlier, batch)
        self._add_products(lines, batch)
        return batch, _matched(lines, parsed.fields["product_id"], product_ids)

    def _resolve(self, parsed: ParsedLines) -> list[str]:
        """The product that each line means."""
        written: list[str] = parsed.fields["product_id"]
        meaning: dict[str, str] = {}
        unknown: dict[str, RowError] = {}
        for product_id in set(written) - {None} - self._matcher.known:
            try:
                meaning[product_id] = self._matcher.resolve(product_id)
            except UnknownProductRejected as error:
                unknown[product_id] = RowError("product_id", str(error))
        for index, product_id in enumerate(written) if unknown else ():
            if product_id in unknown:
                parsed.row_errors[index] = (*parsed.row_errors.get(index, ()), unknown[product_id])
        is_as_written = all(product_id == meant for product_id, meant in meaning.items())
        return written if is_as_written else [meaning.get(product_id, product_id) for product_id in written]

    def _contradictions(self, lines: _Lines, earlier: Mapping[Hashable, int]) -> RowErrors:
        """Rows that contradict their order's header, in this batch or an earlier one."""
        kinds = list(zip(lines.order_ids, lines.account_ids, lines.currencies, lines.statuses, strict=True))
        distinct = set(kinds)
        orders = {order_id for order_id, *_ in distinct}
        if len(distinct) == len(orders) and not earlier:
            return {}
        headers: dict[str, tuple[str | None, _Kind]] = {}
        row_errors: RowErrors = {}
        for row, (order_id, account_id, *rest) in zip(lines.rows, kinds, strict=True):
            kind: _Kind = (rest[0], rest[1])  # type: ignore[assignment]
            if order_id in earlier:
                row_error = self._against_earlier(earlier[order_id], account_id, kind)
            else:
                header = headers.setdefault(order_id, (account_id, kind))
                row_error = _other_account(account_id, header[0]) or _other_kind(kind, header[1])
            if row_error:
                row_errors[row] = (row_error,)
        return row_errors

    def _against_earlier(self, packed: int, account_id: str | None, kind: _Kind) -> RowError | None:
        if account_id is not None and _account_part(account_id) != packed & _ACCOUNT_BITS:
            return RowError("account_id", f"is {account_id!r}, but an earlier row of the same order names another")
        return _other_kind(kind, self._kinds[(packed & ~_ACCOUNT_BITS) >> 1])

    def _add_orders(self, lines: _Lines, earlier: Mapping[Hashable, int], batch: OrderBatch) -> None:
        """Add the orders that begin in this batch, each with the header of its first row."""
        count = len(lines.order_ids)
        first = dict(zip(reversed(lines.order_ids), range(count - 1, -1, -1), strict=True))
        new = {order_id: index for order_id, index in first.items() if order_id not in earlier}
        for order_id, i in new.items():
            is_cancelled = lines.statuses[i] == "cancelled"
            batch.orders.append((order_id, lines.account_ids[i], lines.times[i], lines.currencies[i], is_cancelled))
        batch.account_ids = {account_id for _, account_id, *_ in batch.orders if account_id is not None}
        kinds = [self._kind_number((lines.currencies[i], lines.statuses[i])) for i in new.values()]
        # 48 bits of the account's hash, 15 for currency and status, and one that is always set.
        packed = [_account_part(order[1]) | kind << 1 | 1 for order, kind in zip(batch.orders, kinds, strict=True)]
        self._orders.add(list(new), packed)

    def _kind_number(self, kind: _Kind) -> int:
        if kind not in self._kinds:
            self._kinds.append(kind)
        return self._kinds.index(kind)

    def _add_lines(self, lines: _Lines, earlier: Mapping[Hashable, int], batch: OrderBatch) -> None:
        """Give each line its ordinal: how many lines before it in the file have the same order and product."""
        keys = list(zip(lines.order_ids, lines.product_ids, strict=True))
        counts = dict.fromkeys(keys, 1)
        ordinals: Iterable[int] = repeat(0, len(keys))
        if earlier or len(counts) < len(keys):
            # Only a line of an order that was seen before can have been seen before.
            begun = self._lines.look_up([key for key in counts if key[0] in earlier])
            counts, ordinals = _count_repeats(keys, begun)
        batch.lines = list(
            zip(lines.order_ids, lines.product_ids, ordinals, lines.quantities, lines.amounts, strict=True)
        )
        self._lines.add(list(counts), list(counts.values()))

    def _add_products(self, lines: _Lines, batch: OrderBatch) -> None:
        """Note the products to add, and the latest name of each product that any line names."""
        unknown = set(lines.product_ids) - self._matcher.known
        batch.product_names = {product_id: product_id for product_id in unknown}
        self._matcher.known |= unknown
        self.product_names.update((key, name) for key, name in zip(lines.product_ids, lines.names, strict=True) if name)


_ACCOUNT_BITS: Final = 0xFFFF_FFFF_FFFF_0000


def _account_part(account_id: str | None) -> int:
    return hash(account_id) & _ACCOUNT_BITS


def _other_account(account_id: str | None, first: str | None) -> RowError | None:
    if account_id is None or account_id == first:
        return None
    return RowError("account_id", f"is {account_id!r}, but {first or 'empty'!r} in an earlier row of the same order")


def _other_kind(found: _Kind, first: _Kind) -> RowError | None:
    if found == first:
        return None
    field, position = ("currency", 0) if found[0] != first[0] else ("status", 1)
    here, there = found[position] or "empty", first[position] or "empty"
    return RowError(field, f"is {here}, but {there} in an earlier row of the same order")


def _count_repeats(
    keys: Sequence[tuple[str, str]], begun: Mapping[Hashable, int]
) -> tuple[dict[tuple[str, str], int], list[int]]:
    """How often each key is there, and how often it was before each place, ``begun`` included."""
    counts: dict[tuple[str, str], int] = {}
    ordinals: list[int] = []
    for key in keys:
        repeats = counts.get(key, 0)
        counts[key] = repeats + 1
        ordinals.append(repeats + begun.get(key, 0))
    return counts, ordinals


def _matched(lines: _Lines, written: list[str], meant: list[str]) -> Counter[tuple[str, str]]:
    if written is meant:
        return Counter()
    return Counter((written[row], meant[row]) for row in lines.rows if written[row] != meant[row])
