"""What accounts own now, where their orders changed since the artifact."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.repurchases import NO_DAY
from service.base.time_zones import day_of, find_zone
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState

MAX_RECENT = 50
NO_PRODUCTS = np.empty(0, dtype=np.int32)
NO_TIMES: Final[Mapping[str, datetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AccountState:
    """What one account owns now, in place of what the artifact says.

    owned:  int32, product rows, ascending. Products that the artifact does not know stand in ``others``.
    last_days: int32, the day on which each owned product was bought last, as ``Repurchases`` has it.
    recent: int32, for an account that the artifact has no candidates for, the products bought last, ascending rows.
    """

    owned: NDArray[np.int32]
    last_days: NDArray[np.int32]
    recent: NDArray[np.int32]
    others: frozenset[str] = frozenset()


class Ownership:
    """What accounts own whose orders changed since the artifact. All others own what the artifact says.

    row_of: finds a product's row in the artifact; None if the artifact does not know it.
    """

    def __init__(self, content: Content, row_of: Callable[[str], int | None], *, is_history_complete: bool) -> None:
        self.by_account: dict[str, AccountState] = {}
        self._content = content
        self._row_of = row_of
        self._is_history_complete = is_history_complete
        self._zone = find_zone(content.timezone)

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(
            state.content,
            state.part(CatalogueView).products.row_of,
            is_history_complete=state.is_history_complete,
        )

    def replace(
        self,
        account_id: str,
        owned: Iterable[str],
        returned: Iterable[str] = (),
        bought_at: Mapping[str, datetime] = NO_TIMES,
    ) -> None:
        """Store what an account owns now, those bought last first, and what it bought once and owns no more.

        bought_at: when it bought each of the former last.
        """
        product_ids = list(owned)
        rows = [self._row_of(product_id) for product_id in product_ids]
        known = [row for row in rows if row is not None]
        others = frozenset(product_id for product_id, row in zip(product_ids, rows, strict=True) if row is None)
        days = {
            row: day_of(bought_at[name], self._zone)
            for name, row in zip(product_ids, rows, strict=True)
            if row is not None and name in bought_at
        }
        learned, learned_days = self._learned(account_id)
        recent = NO_PRODUCTS if len(learned) else np.array(sorted(known[:MAX_RECENT]), dtype=np.int32)
        if not self._is_history_complete:
            known += set(learned.tolist()).difference(known, map(self._row_of, returned))
            for row, day in zip(learned.tolist(), learned_days.tolist(), strict=False):
                days[row] = max(day, days.get(row, NO_DAY))
        known.sort()
        last_days = np.array([days.get(row, NO_DAY) for row in known], dtype=np.int32)
        self.by_account[account_id] = AccountState(np.array(known, dtype=np.int32), last_days, recent, others)

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self.by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for account_id in account_ids:
            self.by_account.pop(account_id, None)

    def _learned(self, account_id: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return what the artifact says that the account owns, and the last day of each.

        If that is anything, the artifact has candidates for the account, too.
        """
        row = self._content.account_ids.row_of(account_id)
        if row is None:
            return NO_PRODUCTS, NO_PRODUCTS
        return self._content.owned_by(row), self._content.last_days_of(row)
