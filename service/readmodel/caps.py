"""Caps: how often products may be taken up in all, and how much of that is used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Self

from service.readmodel.in_force import InForce
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicyScope

WHOLE_SCOPE: Final = ""
"""The key of a cap that all products of its scope share."""


class CapPer(StrEnum):
    """What a cap holds for."""

    PRODUCT = "product"
    SCOPE = "scope"


@dataclass(frozen=True)
class Cap(InForce):
    """At most so many acceptances and reservations of products in a scope, from ``valid_from`` on, by all accounts.

    per: each product, or all of the scope together. valid_from, valid_until: when it is in force.
    """

    id: str
    at_most: int
    per: CapPer
    scope: PolicyScope
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def key_of(self, product_id: str) -> str:
        """Return what a product of the scope counts for: itself, or the whole scope."""
        return product_id if self.per is CapPer.PRODUCT else WHOLE_SCOPE


class Hold(NamedTuple):
    """A reservation: it counts until it expires."""

    expires_at: datetime
    account_id: str
    product_id: str


class CapUse(NamedTuple):
    """What is used of a cap. holds: by the time at which they expire; some may have expired."""

    n_accepted: int = 0
    holds: tuple[Hold, ...] = ()

    def n_used(self, now: datetime) -> int:
        """Return how much is used now."""
        return self.n_accepted + sum(hold.expires_at > now for hold in self.holds)

    def free_at(self, at_most: int, now: datetime) -> datetime | None:
        """Return when one more is free as far as is known: ``now`` if there is one; None if no expiry frees one."""
        live = [hold.expires_at for hold in self.holds if hold.expires_at > now]
        n_excess = self.n_accepted + len(live) - at_most
        if n_excess < 0:
            return now
        return live[n_excess] if n_excess < len(live) else None


Exhausted = Mapping[str, Mapping[str, datetime | None]]
"""By cap and key, when one more becomes free as reservations expire; None if none does."""


class CapUses:
    """What is used of each cap. A change puts another one in its place."""

    def __init__(self, caps: Iterable[Cap], uses: Mapping[tuple[str, str], CapUse]) -> None:
        self.caps = {cap.id: cap for cap in caps}
        self.uses = dict(uses)
        self._by_account: dict[str, list[Hold]] = {}
        for hold in {hold for use in self.uses.values() for hold in use.holds}:
            self._by_account.setdefault(hold.account_id, []).append(hold)
        self._worked_out: tuple[datetime, datetime | None, Exhausted] | None = None

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls((), {})

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self._by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``: their reservations are deleted, and what they used is free again."""
        erased = set(account_ids)
        for key, use in self.uses.items():
            if any(hold.account_id in erased for hold in use.holds):
                kept = tuple(hold for hold in use.holds if hold.account_id not in erased)
                self.uses[key] = use._replace(holds=kept)
        for account_id in erased:
            self._by_account.pop(account_id, None)
        self._worked_out = None

    def with_uses(self, cap_ids: Collection[str], uses: Mapping[tuple[str, str], CapUse]) -> "CapUses":
        """Return another one, in which some caps are used as given."""
        kept = {key: use for key, use in self.uses.items() if key[0] not in cap_ids}
        return CapUses(self.caps.values(), {**kept, **uses})

    def exhausted(self, now: datetime) -> Exhausted:
        """Return the caps of which nothing is left now, in force or not."""
        worked_out = self._worked_out
        if worked_out is None or not (worked_out[0] <= now and (worked_out[1] is None or now < worked_out[1])):
            worked_out = self._worked_out = self._work_out(now)
        return worked_out[2]

    def held_by(self, account_id: str | None, now: datetime) -> Sequence[str]:
        """Return the products that an account holds a reservation of."""
        holds = self._by_account.get(account_id or "", ())
        return [hold.product_id for hold in holds if hold.expires_at > now]

    def _work_out(self, now: datetime) -> tuple[datetime, datetime | None, Exhausted]:
        exhausted: dict[str, dict[str, datetime | None]] = {}
        times: list[datetime] = []
        for (cap_id, key), use in self.uses.items():
            free_at = use.free_at(self.caps[cap_id].at_most, now)
            if free_at != now:
                exhausted.setdefault(cap_id, {})[key] = free_at
                times += [] if free_at is None else [free_at]
        return now, min(times, default=None), exhausted
