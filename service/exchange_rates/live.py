"""The kind of change that exchange rates are."""

from typing import Final

from service.storage.changes import ChangeKind

RATES_CHANGED: Final = ChangeKind("exchange-rates")
"""Pairs of currencies, such as ``EUR-USD``."""
