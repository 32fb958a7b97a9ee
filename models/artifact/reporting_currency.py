"""The one currency that all money figures of an artifact are in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReportingCurrency:
    """code: ISO 4217; None where neither the history nor the catalogue names a currency.

    minor_factors: by currency, minor units of the reporting one for one minor unit of it, at the rates of the
                   artifact's day; under the empty name for prices that name none.
    """

    code: str | None
    minor_factors: Mapping[str, float]

    @classmethod
    def from_report(cls, report: bytes) -> "ReportingCurrency":
        """Read it from an evaluation report."""
        described: dict[str, Any] = json.loads(report or b"{}").get("currency", {})
        return cls(described.get("reporting"), described.get("minor_factors", {}))

    def convert(self, minor: int | None, currency: str | None) -> int | None:
        """Convert a price; None where it is not known, or can't be converted."""
        factor = self.minor_factors.get(currency or "")
        return None if minor is None or factor is None else round(minor * factor)
