"""A deal with all of its lines."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from service.deals.stages import DealStatus

HEADER_FIELDS: Final = (
    "deal_id", "account_id", "stage", "status", "value_minor", "currency", "opened_at", "closed_at", "expected_close",
)  # fmt: skip


class WholeDealLine(NamedTuple):
    """One product of a deal; see ``tables.DealLine``."""

    product_id: str
    ordinal: int
    quantity: float
    value_minor: int | None


@dataclass(frozen=True)
class WholeDeal:
    """See ``tables.Deal``."""

    deal_id: str
    account_id: str | None
    stage: str
    status: DealStatus
    value_minor: int | None
    currency: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    expected_close: date | None
    lines: frozenset[WholeDealLine]

    def header(self) -> dict[str, Any]:
        """The deal's row, without the time at which it was written."""
        return {name: getattr(self, name) for name in HEADER_FIELDS}

    def valued_lines(self) -> list[WholeDealLine]:
        """The lines in their order. Where there is but one, it has the deal's value if it has none of its own."""
        lines = sorted(self.lines)
        if len(lines) == 1 and lines[0].value_minor is None:
            return [lines[0]._replace(value_minor=self.value_minor)]
        return lines


def total_value(value_minor: int | None, line_values: list[int | None]) -> int | None:
    """The sum of the lines' values; the deal's own value where some have none; else the sum of those that do."""
    known = [value for value in line_values if value is not None]
    if value_minor is not None and len(known) < max(len(line_values), 1):
        return value_minor
    return sum(known) if known else None
