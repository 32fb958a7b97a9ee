"""Suppression: outcomes that pause offers for some days."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from service.readmodel.contact_policies import ContactProduct, Per, covers, key_of
from service.readmodel.in_force import InForce
from service.readmodel.outcome_kinds import OutcomeKind
from service.readmodel.policies import PolicyScope


class Reported(NamedTuple):
    """One outcome of an account, with the line and the category that the product had. reason: of a rejection."""

    occurred_at: datetime
    outcome_id: str
    kind: OutcomeKind
    channel: str | None
    product: ContactProduct
    reason: str | None = None


class Pause(NamedTuple):
    """What is not offered for some time. key: see ``key_of``."""

    key: str
    begin: datetime
    until: datetime


@dataclass(frozen=True)
class Suppression(InForce):
    """So many outcomes of some kinds within a length of time pause what they are about for another one.

    reasons: of rejections that count; None for all. per: what is paused, and whose outcomes are counted together.
    scope: the products whose outcomes count, and that are paused; None for all.
    """

    id: str
    kinds: frozenset[OutcomeKind]
    count: int
    within: timedelta
    pause: timedelta
    per: Per
    reasons: frozenset[str] | None = None
    scope: PolicyScope | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def concerns(self, _channel: str | None) -> bool:
        """Tell whether it holds for requests by a channel: it does for all."""
        return True

    def pauses(self, reported: Iterable[Reported]) -> Iterator[Pause]:
        """Yield the pauses that an account's outcomes cause, one after the other.

        Outcomes that cause a pause cause no second one: counting begins anew with the next one.
        """
        waiting: dict[str, list[datetime]] = {}
        for each in sorted(reported):
            key = key_of(self.per, each.product)
            if not self._counts(each) or key is None:
                continue
            times = [time for time in waiting.get(key, ()) if time > each.occurred_at - self.within]
            times.append(each.occurred_at)
            if len(times) >= self.count:
                yield Pause(key, each.occurred_at, each.occurred_at + self.pause)
                times = []
            waiting[key] = times

    def _counts(self, reported: Reported) -> bool:
        is_meant = reported.kind in self.kinds and covers(self.scope, reported.product)
        return is_meant and (self.reasons is None or reported.reason in self.reasons)
