"""What accounts own and may be offered again, now or later: by policies of repurchase, or as a request asks for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import find_sorted
from models.artifact import NO_ROW, Content
from service.base.time_zones import day_of, day_start, find_zone
from service.offers.account_products import AccountProducts
from service.offers.request import OfferRequest
from service.readmodel.ownership import AccountState
from service.readmodel.repurchases import CONSUMABLE, DURABLE, NO_MODE, UNLIMITED, ProductRepurchases


class Repeats(NamedTuple):
    """Owned products of n accounts that may be offered again, now or later; arrays of one length N, as their pairs.

    is_due:   bool (N,), whether it may be offered now.
    last_day: int32 (N,), of the last purchase, days since 1970 in the artifact's time zone; NO_DAY where not known.
    wait_days: int32 (N,), days from then until a consumable may be offered again; 0 of others.
    score:    float32 (N,), P(the account buys it again within the horizon), or a score without propensities.
    timezone: of days.
    """

    pairs: AccountProducts
    is_due: NDArray[np.bool_]
    last_day: NDArray[np.int32]
    wait_days: NDArray[np.int32]
    score: NDArray[np.float32]
    timezone: str

    def places(self, keys: NDArray[Any]) -> NDArray[np.int64]:
        """Return int64 (m,): where some pairs stand among these, NO_ROW where they do not. keys: int (m,)."""
        return find_sorted(self.pairs.keys, keys)

    def due_at(self, key: int) -> datetime | None:
        """Return when a pair may be offered again that was bought too recently. key: see ``Facts.keys``."""
        place = int(self.pairs.keys.searchsorted(key))
        return day_start(int(self.last_day[place] + self.wait_days[place]), self.timezone)

    def next_due(self, account: int) -> datetime | None:
        """Return when the first product may be offered again that an account bought too recently."""
        is_later = (self.pairs.account == account) & ~self.is_due
        if not is_later.any():
            return None
        return day_start(int((self.last_day + self.wait_days)[is_later].min()), self.timezone)

    def select(self, is_kept: NDArray[np.bool_], pairs: AccountProducts) -> "Repeats":
        """Return some of the entries. is_kept: bool (N,). pairs: of those."""
        return Repeats(
            pairs,
            self.is_due[is_kept],
            self.last_day[is_kept],
            self.wait_days[is_kept],
            self.score[is_kept],
            self.timezone,
        )


class OwnedHistory(NamedTuple):
    """What is known of what one account owns, arrays of one length; see ``Repeats``."""

    last_day: NDArray[np.int32]
    score: NDArray[np.float32]


def gather_repeats(
    content: Content,
    requests: Sequence[OfferRequest],
    accounts: tuple[Sequence[int], Sequence[AccountState | None]],
    owned: AccountProducts,
    policies: ProductRepurchases | None,
    now: datetime | None,
) -> Repeats | None:
    """Look up what may be offered again; None where no policy and no request asks for anything of it.

    accounts: of each request the row in the artifact, or NO_ROW, and what it owns now in place of what that says.
    owned: what the accounts own. now: without it, every consumable is due.
    """
    # Most companies have no such policy: their requests look no further.
    has_repeats = policies is not None and policies.has_repeats
    if owned.is_empty or not (has_repeats or any(request.includes_owned for request in requests)):
        return None
    includes_owned = np.array([request.includes_owned for request in requests], dtype=np.bool_)
    parts = [owned_history(content, row, live) for row, live in zip(*accounts, strict=True)]
    last_day, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    mode, wait_days = np.full(len(owned.product), NO_MODE, dtype=np.int8), np.zeros(len(owned.product), dtype=np.int32)
    if policies is not None:
        mode, wait_days = policies.mode[owned.product], policies.wait_days[owned.product]
    is_included = includes_owned[owned.account] & (mode != DURABLE)
    is_due = (mode == UNLIMITED) | is_included
    is_consumable = mode == CONSUMABLE
    if now is None:
        is_due |= is_consumable
    else:
        today = day_of(now, find_zone(content.timezone))
        is_due |= is_consumable & (today - last_day.astype(np.int64) >= wait_days)
    everything = Repeats(owned, is_due, last_day, wait_days, score, content.timezone)
    is_kept = is_due | is_consumable
    return everything.select(is_kept, owned.select(is_kept)) if is_kept.any() else None


def owned_history(content: Content, row: int, live: AccountState | None) -> OwnedHistory:
    """Return what is known of what an account owns, in the order in which it owns it."""
    offsets = content.owned_offsets
    entries = slice(0, 0) if row == NO_ROW else slice(int(offsets[row]), int(offsets[row + 1]))
    scores, days = content.owned_scores[entries], content.repurchases.last_days[entries]
    if live is None:
        return OwnedHistory(days, scores)
    # What it came to own since the training is as likely to be bought again as by other owners of the product.
    score = np.nan_to_num(content.repurchases.rates[live.owned])
    place = find_sorted(content.owned_products[entries], live.owned)
    score[place != NO_ROW] = scores[place[place != NO_ROW]]
    return OwnedHistory(live.last_days, score)
