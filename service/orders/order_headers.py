"""The header of an order, which all of its lines share: who bought, when, in which currency, whether it was cancelled.

It is that of the order's first good row. A later row may leave the account out, but not contradict it. Adjacent rows
may be of different days, as of part shipments; rows that stand apart in the file are then of two orders of one number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from service.rows.chunks import RowError
from service.rows.duplicate_index import DuplicateIndex, Hashes, hash_keys
from service.rows.validation import RowErrors

KEY_ADVICE: Final = "if two orders have this number, tell them apart with --order-key or --order-prefix"
ADVICE: Final = f"{KEY_ADVICE}; if it is one order, use --on-conflict replace"
MAX_DAYS_APART: Final = 31
"""How far the days of adjacent rows of one order may be apart."""
_FIRST_DAY: Final = date(1899, 12, 31).toordinal()
"""The earliest day, in any time zone, of the year 1900 in UTC."""
# From the lowest bit: one that is always set, so that a packed header is never 0; terms; day; account.
_TERMS_SHIFT, _DAY_SHIFT, _ACCOUNT_SHIFT = 1, 13, 30
_MAX_TERMS: Final = (1 << (_DAY_SHIFT - _TERMS_SHIFT)) - 1
_DAY_MASK: Final = (1 << (_ACCOUNT_SHIFT - _DAY_SHIFT)) - 1
_Terms = tuple[str | None, str]
"""Currency and status."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a row says of its order. day: as ``date.toordinal`` counts."""

    account_id: str | None
    currency: str | None
    status: str
    day: int

    @property
    def terms(self) -> _Terms:
        return self.currency, self.status


@dataclass
class Contradictions:
    """What a batch's rows say against their order's header.

    row_errors: errors of rows, by row.
    of_days:    the rows among them that only contradict the order's day.
    days:       rows that have another day than their order's first row, but go with it; and the first such case.
    """

    row_errors: RowErrors = field(default_factory=dict)
    of_days: set[int] = field(default_factory=set)
    days: int = 0
    example: str = ""

    def note_day(self, order_id: str, day: int, first_day: int) -> None:
        """Count a row of another day."""
        self.days += 1
        self.example = self.example or f"order {order_id}: {day_text(first_day)} and {day_text(day)}"


class HeaderIndex:
    """The headers of all orders of a file, in 16 bytes each: 34 bits of the account's hash, 17 of the day, 12 of terms.

    More terms than 12 bits can tell apart are not compared.
    """

    def __init__(self) -> None:
        self._orders = DuplicateIndex(np.uint64)
        self._terms: dict[_Terms, int] = {}
        self._terms_by_number: list[_Terms] = []

    def look_up(self, order_ids: Sequence[str], hashes: Hashes) -> dict[str, int]:
        """The packed headers of those orders that were added."""
        packed = self._orders.look_up(hashes)
        return {order_ids[index]: int(packed[index]) for index in np.flatnonzero(packed).tolist()}

    def add(
        self,
        hashes: Hashes,
        account_ids: Sequence[str | None],
        currencies: Sequence[str | None],
        statuses: Sequence[str],
        days: Sequence[int],
    ) -> None:
        """Add orders with their headers, by column."""
        numbers = np.fromiter(map(self._number_of, zip(currencies, statuses, strict=True)), np.uint64, len(hashes))
        since_first = np.array(days, dtype=np.uint64) - np.uint64(_FIRST_DAY)
        accounts = hash_keys(account_ids) >> np.uint64(_ACCOUNT_SHIFT) << np.uint64(_ACCOUNT_SHIFT)
        packed = accounts | since_first << np.uint64(_DAY_SHIFT) | numbers << np.uint64(_TERMS_SHIFT) | np.uint64(1)
        self._orders.add(hashes, packed)

    def contradiction(self, packed: int, header: Header) -> RowError | None:
        """What of a row contradicts the header of its order in an earlier batch, its day aside."""
        if header.account_id is not None and _account_part(header.account_id) != packed >> _ACCOUNT_SHIFT:
            reason = f"is {header.account_id!r}, but an earlier row of the same order names another; {KEY_ADVICE}"
            return RowError("account_id", reason)
        number = (packed >> _TERMS_SHIFT) & _MAX_TERMS
        return _other_terms(header.terms, self._terms_by_number[number]) if number < _MAX_TERMS else None

    @staticmethod
    def day_of(packed: int) -> int:
        """The day of an order."""
        return ((packed >> _DAY_SHIFT) & _DAY_MASK) + _FIRST_DAY

    def _number_of(self, terms: _Terms) -> int:
        """The number of terms; more than can be counted share the last one, which contradicts nothing."""
        number = self._terms.get(terms)
        if number is None:
            number = self._terms[terms] = min(len(self._terms), _MAX_TERMS)
            self._terms_by_number.append(terms)
        return number


def find_contradictions(
    rows: Sequence[int],
    order_ids: Sequence[str],
    headers: Sequence[Header],
    earlier: Mapping[str, int],
    index: HeaderIndex,
    last_order_id: str | None,
) -> Contradictions:
    """Compare rows with their order's header, in this batch or an earlier one.

    last_order_id: the order of the row before the first one, which may go on.
    """
    first: dict[str, Header] = {}
    found = Contradictions()
    current, is_apart = last_order_id, False
    for row, order_id, header in zip(rows, order_ids, headers, strict=True):
        if order_id != current:
            current, is_apart = order_id, order_id in first or order_id in earlier
        if order_id in earlier:
            packed = earlier[order_id]
            row_error, first_day = index.contradiction(packed, header), index.day_of(packed)
        else:
            leading = first.setdefault(order_id, header)
            row_error, first_day = _other_header(header, leading), leading.day
        if row_error is None and header.day != first_day:
            if is_apart or abs(header.day - first_day) > MAX_DAYS_APART:
                row_error = _other_day(header.day, first_day)
                found.of_days.add(row)
            else:
                found.note_day(order_id, header.day, first_day)
        if row_error:
            found.row_errors[row] = (row_error,)
    return found


def day_text(day: int) -> str:
    """A day as people write it."""
    return date.fromordinal(day).isoformat()


def _account_part(account_id: str | None) -> int:
    return (hash(account_id) & 0xFFFF_FFFF_FFFF_FFFF) >> _ACCOUNT_SHIFT


def _other_day(day: int, first_day: int) -> RowError:
    reason = f"is {day_text(day)}, but {day_text(first_day)} in an earlier row of the same order; {ADVICE}"
    return RowError("ordered_at", reason)


def _other_header(header: Header, leading: Header) -> RowError | None:
    if header.account_id is not None and header.account_id != leading.account_id:
        first = leading.account_id or "empty"
        reason = f"is {header.account_id!r}, but {first!r} in an earlier row of the same order; {KEY_ADVICE}"
        return RowError("account_id", reason)
    return _other_terms(header.terms, leading.terms)


def _other_terms(terms: _Terms, leading: _Terms) -> RowError | None:
    if terms == leading:
        return None
    field_name, position = ("currency", 0) if terms[0] != leading[0] else ("status", 1)
    here, there = terms[position] or "empty", leading[position] or "empty"
    return RowError(field_name, f"is {here}, but {there} in an earlier row of the same order")
