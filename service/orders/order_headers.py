"""The header of an order, which all of its lines share: who bought, in which currency, and whether it was cancelled.

It is that of the order's first good row. A later row may leave the account out, but not contradict it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from service.rows.chunks import RowError
from service.rows.duplicate_index import DuplicateIndex, Hashes, hash_keys
from service.rows.validation import RowErrors

_ACCOUNT_BITS: Final = 0xFFFF_FFFF_FFFF_0000
_Terms = tuple[str | None, str]
"""Currency and status."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a row says of its order."""

    account_id: str | None
    currency: str | None
    status: str

    @property
    def terms(self) -> _Terms:
        return self.currency, self.status


class HeaderIndex:
    """The headers of all orders of a file, in 16 bytes each: 48 bits of the account's hash, 15 for the terms."""

    def __init__(self) -> None:
        self._orders = DuplicateIndex(np.uint64)
        self._terms: list[_Terms] = []

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
    ) -> None:
        """Add orders with their headers, by column."""
        numbers = np.fromiter(map(self._number_of, zip(currencies, statuses, strict=True)), np.uint64, len(hashes))
        accounts = hash_keys(account_ids) & np.uint64(_ACCOUNT_BITS)
        # The lowest bit is always set: a packed header is never 0.
        self._orders.add(hashes, accounts | numbers << np.uint64(1) | np.uint64(1))

    def contradiction(self, packed: int, header: Header) -> RowError | None:
        """What of a row contradicts the header of its order in an earlier batch."""
        if header.account_id is not None and _account_part(header.account_id) != packed & _ACCOUNT_BITS:
            reason = f"is {header.account_id!r}, but an earlier row of the same order names another"
            return RowError("account_id", reason)
        return _other_terms(header.terms, self._terms[(packed & ~_ACCOUNT_BITS) >> 1])

    def _number_of(self, terms: _Terms) -> int:
        if terms not in self._terms:
            self._terms.append(terms)
        return self._terms.index(terms)


def find_contradictions(
    rows: Sequence[int],
    order_ids: Sequence[str],
    headers: Sequence[Header],
    earlier: Mapping[str, int],
    index: HeaderIndex,
) -> RowErrors:
    """The errors of rows that contradict their order's header, in this batch or an earlier one, by row."""
    first: dict[str, Header] = {}
    row_errors: RowErrors = {}
    for row, order_id, header in zip(rows, order_ids, headers, strict=True):
        if order_id in earlier:
            row_error = index.contradiction(earlier[order_id], header)
        else:
            leading = first.setdefault(order_id, header)
            row_error = _other_account(header, leading) or _other_terms(header.terms, leading.terms)
        if row_error:
            row_errors[row] = (row_error,)
    return row_errors


def _account_part(account_id: str | None) -> int:
    return hash(account_id) & _ACCOUNT_BITS


def _other_account(header: Header, leading: Header) -> RowError | None:
    if header.account_id is None or header.account_id == leading.account_id:
        return None
    reason = f"is {header.account_id!r}, but {leading.account_id or 'empty'!r} in an earlier row of the same order"
    return RowError("account_id", reason)


def _other_terms(terms: _Terms, leading: _Terms) -> RowError | None:
    if terms == leading:
        return None
    field, position = ("currency", 0) if terms[0] != leading[0] else ("status", 1)
    here, there = terms[position] or "empty", leading[position] or "empty"
    return RowError(field, f"is {here}, but {there} in an earlier row of the same order")
