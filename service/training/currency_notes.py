"""What training says about the currencies of a history."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.data.history import History


def currency_notes(history: "History") -> Iterator[str]:
    """Describe how several currencies became one; nothing where all lines are in the reporting currency."""
    reporting = history.exchange.reporting
    others = [line for line in history.currency_lines if line.currency != reporting and (line.currency or reporting)]
    named = [line for line in others if line.currency]
    if not named and not any(line.unconverted for line in others):
        return
    yield f"All money is in one currency, {reporting}."
    for line in named:
        if converted := line.lines - line.unconverted:
            yield f"{line.currency}: {converted:,} order lines converted at the exchange rate of their day."
        if line.unconverted:
            yield (
                f"WARNING: {line.currency}: {line.unconverted:,} order lines have no exchange rate to {reporting} "
                "on or before their day. They count as purchases, but their money is left out. Give rates with "
                "nextoffer import exchange-rates FILE, or with --exchange-rates where files are read, and train again."
            )
    for line in others:
        if not line.currency and line.unconverted:
            yield (
                f"WARNING: {line.unconverted:,} order lines name no currency. They count as purchases, but their money "
                "is left out. Name it with --default-currency when they are read, and train again."
            )
