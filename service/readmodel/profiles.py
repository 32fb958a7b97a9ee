"""Accounts' profiles, column by column, for rules to be evaluated on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, TIERS, TRENDS
from models.artifact.segments import slug

UNKNOWN_ROW: Final = -1
"""The row of an account that the artifact does not know."""

MAX_ONE_BY_ONE: Final = 1_000
"""Above this number of accounts, what they own is looked up for all accounts at once."""

_TEXTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "rfm": ("rfm_segment", tuple(map(slug, RFM_SEGMENTS))),
    "revenue_tier": ("revenue_tier", TIERS),
    "value_tier": ("value_tier", TIERS),
    "trend": ("trend", TRENDS),
}
_NUMBERS: Final = {
    "purchase_days": "n_purchases",
    "spend_minor": "spend_minor",
    "is_alive": "is_alive",
    "purchase_spend_minor": "purchase_spend",
    "usual_gap_days": "usual_gap",
}
_QUINTILES: Final = ("recency", "frequency", "monetary")
_DAYS: Final = {"days_since_purchase": "last_day", "days_since_first_purchase": "first_day"}


@dataclass(frozen=True)
class Profiles:
    """Profiles of n accounts, from the artifact and the live state. Implements ``rule_evaluation.Columns``.

    rows:          int (n,), positions in the artifact, UNKNOWN_ROW for accounts that it does not know.
    owned_now:     position -> what the account owns now (product rows), where that differs from the artifact.
    is_strategic:  bool (n,).
    attributes:    one mapping per account; empty where no rule asks for any.
    """

    content: Content
    as_of_day: int
    rows: NDArray[np.int64]
    owned_now: Mapping[int, NDArray[np.int32]]
    is_strategic: NDArray[np.bool_]
    attributes: Sequence[Mapping[str, Any]]

    @property
    def n(self) -> int:
        """How many accounts."""
        return len(self.rows)

    def field(self, name: str) -> NDArray[Any]:
        """See ``Columns.field``."""
        customers, is_known = self.content.customers, self.rows != UNKNOWN_ROW
        rows = self.rows[is_known]
        if name == "is_strategic":
            return self.is_strategic
        if name == "is_contractual":
            return _placed(is_known, customers.is_contractual[rows], np.zeros(self.n, dtype=np.bool_))
        if name in _TEXTS or name == "cluster":
            codes, names = self._codes(name, rows)
            texts = np.array([*names, ""], dtype=object)  # the code of those in none is -1: the last
            return _placed(is_known, texts[codes], np.full(self.n, "", dtype=object))
        return _placed(is_known, self._numbers(name, rows), np.full(self.n, np.nan))

    def _codes(self, name: str, rows: NDArray[np.int64]) -> tuple[NDArray[Any], tuple[str, ...]]:
        if name == "cluster":
            codes = self.content.segments.codes_in("cluster", rows)
            return codes, tuple(f"cluster.{code + 1}" for code in range(int(codes.max(initial=NOT_SEGMENTED)) + 1))
        column, names = _TEXTS[name]
        return getattr(self.content.customers, column)[rows], names

    def _numbers(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        customers = self.content.customers
        has_bought = customers.n_purchases[rows] > 0
        if name in _QUINTILES:
            quintiles = customers.rfm[rows, _QUINTILES.index(name)]
            return np.where(quintiles > 0, quintiles, np.nan)
        if name in _DAYS:
            return np.where(has_bought, self.as_of_day - getattr(customers, _DAYS[name])[rows], np.nan)
        if name == "value_ahead_minor":
            numbers: NDArray[np.float64] = customers.value[rows, 0].astype(np.float64)
        else:
            numbers = getattr(customers, _NUMBERS[name])[rows].astype(np.float64)
        if name == "spend_minor":
            numbers = np.where(customers.is_money_known[rows], numbers, np.nan)
        return numbers

    def attribute(self, key: str) -> Sequence[object]:
        """See ``Columns.attribute``."""
        return [stored.get(key) for stored in self.attributes] if self.attributes else [None] * self.n

    def owns(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        """See ``Columns.owns``."""
        is_named = self._is_named(kind, names)
        content, is_known = self.content, self.rows != UNKNOWN_ROW
        is_owner = np.zeros(self.n, dtype=np.bool_)
        rows, ends = self.rows[is_known], content.owned_offsets
        if len(rows) <= MAX_ONE_BY_ONE:
            # To place a few accounts that changed must not cost O(all accounts).
            is_owner[is_known] = [is_named[content.owned_by(row)].any() for row in rows.tolist()]
        else:
            hits = np.concatenate([[0], is_named[content.owned_products].cumsum(dtype=np.int32)])
            is_owner[is_known] = hits[ends[rows + 1]] > hits[ends[rows]]
        for position, owned in self.owned_now.items():
            is_owner[position] = is_named[owned].any()
        return is_owner

    def _is_named(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return bool (P,): the products that a rule names, by themselves or by their group."""
        products = self.content.products
        is_named = np.zeros(len(products.ids), dtype=np.bool_)
        if kind == "products":
            rows = [row for name in names if (row := products.ids.row_of(name)) is not None]
            is_named[rows] = True
            return is_named
        groups = self.content.lines if kind == "lines" else self.content.categories
        wanted = set(names)
        codes = [code for code, name in enumerate(groups.names) if name in wanted]
        return np.isin(groups.of_product, codes)


def _placed(where: NDArray[np.bool_], values: NDArray[Any], blank: NDArray[Any]) -> NDArray[Any]:
    blank[where] = values
    return blank
