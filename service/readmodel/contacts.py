"""How often accounts were offered something, and what they said to it, as far as contact policies ask for it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple, Self

from service.readmodel.account_hierarchy import Hierarchy
from service.readmodel.contact_policies import Contact, ContactLimit, Counted, Unit
from service.readmodel.live_state import LiveState
from service.readmodel.outcome_kinds import OutcomeKind
from service.readmodel.suppressions import Reported, Suppression

ALWAYS = datetime.max.replace(tzinfo=UTC)
CountKey = tuple[str, str]
"""What contacts count for: the identifier of a limit, and the product, category or line; see ``keys_of``."""
Newest = dict[CountKey, tuple[tuple[datetime, str], ...]]
"""When the newest contacts were, with what identifies each: no more than the limit allows."""
REPORTED_AS = {Counted.SENT: OutcomeKind.SENT, Counted.SHOWN: OutcomeKind.IMPRESSION}


class Reached(NamedTuple):
    """A limit that an account has reached, or a pause. key: see ``key_of``. until: when it ceases."""

    policy: ContactLimit | Suppression
    key: str
    until: datetime


class AccountContacts:
    """The newest contacts of one account, since older ones decide nothing, and its pauses.

    What is reached is worked out once, and again when a contact comes or the first limit or pause ends.
    """

    __slots__ = ("_checked_until", "_decided", "_pauses", "_reached", "_reported")

    def __init__(self) -> None:
        self._decided: Newest = {}
        self._reported: Newest = {}
        self._pauses: tuple[Reached, ...] = ()
        self._reached: tuple[Reached, ...] = ()
        self._checked_until: datetime | None = None

    def note(self, contact: Contact, limits: Iterable[ContactLimit]) -> None:
        """Count a decision, unless it is counted already."""
        for limit in limits:
            if limit.counts is Counted.DECIDED:
                _count(self._decided, contact, limit)
        self._checked_until = None

    def report(
        self, reported: Sequence[Reported], limits: Iterable[ContactLimit], suppressions: Iterable[Suppression]
    ) -> None:
        """Replace what was reported of the account by all that is reported of it now."""
        newest: Newest = {}
        for limit in limits:
            for each in reported:
                if each.kind is REPORTED_AS.get(limit.counts):
                    contact = Contact(each.occurred_at, each.outcome_id, each.channel, (each.product,))
                    _count(newest, contact, limit)
        self._reported = newest
        self._pauses = tuple(
            Reached(suppression, pause.key, pause.until)
            for suppression in suppressions
            for pause in suppression.pauses(reported)
        )
        self._checked_until = None

    def reached(self, limits: Mapping[str, ContactLimit], now: datetime) -> tuple[Reached, ...]:
        """Return the limits and pauses that hold, whether in force or not. limits: by identifier."""
        if self._checked_until is None or now >= self._checked_until:
            self._reached = tuple(each for each in self._find_reached(limits) if each.until > now)
            self._checked_until = min((each.until for each in self._reached), default=ALWAYS)
        return self._reached

    def _find_reached(self, limits: Mapping[str, ContactLimit]) -> Iterable[Reached]:
        for counted in (self._decided, self._reported):
            for (limit_id, key), newest in counted.items():
                limit = limits[limit_id]
                if len(newest) == limit.at_most:
                    yield Reached(limit, key, limit.window.end_of(newest[0][0]))
        yield from self._pauses


def _count(counted: Newest, contact: Contact, limit: ContactLimit) -> None:
    if not limit.concerns(contact.channel):
        return
    dated = (contact.decided_at, contact.decision_id)
    for key in limit.keys_of(contact.products):
        newest = counted.get((limit.id, key), ())
        if dated not in newest:
            counted[limit.id, key] = tuple(sorted((*newest, dated))[-limit.at_most :])


class Contacts:
    """The contacts of all accounts. Its policies never change: others make another object.

    Two threads write, each of them the same contact: the one that decides, and the one that follows the change log.
    hierarchy: which accounts are of one group, where limits count groups.
    """

    def __init__(
        self,
        limits: Sequence[ContactLimit],
        suppressions: Sequence[Suppression] = (),
        hierarchy: Hierarchy | None = None,
    ) -> None:
        self.limits = {limit.id: limit for limit in limits}
        self.suppressions = tuple(suppressions)
        self._of_accounts = [limit for limit in limits if limit.unit is Unit.ACCOUNT]
        self._of_groups = [limit for limit in limits if limit.unit is Unit.GROUP]
        self.hierarchy = hierarchy
        self._by_account: dict[str, AccountContacts] = {}
        self._by_group: dict[str, AccountContacts] = {}
        self._writing = Lock()

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(())

    @property
    def counts_decisions(self) -> bool:
        """Whether a limit counts decisions."""
        return any(limit.counts is Counted.DECIDED for limit in self.limits.values())

    @property
    def counts_reports(self) -> bool:
        """Whether a policy counts what is reported."""
        return bool(self.suppressions) or any(limit.counts in REPORTED_AS for limit in self.limits.values())

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self._by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for account_id in account_ids:
            self._by_account.pop(account_id, None)
            self._by_group.pop(account_id, None)

    @property
    def counts_groups(self) -> bool:
        """Whether a limit counts what is decided for whole groups."""
        return bool(self._of_groups)

    def top_of(self, account_id: str) -> str:
        """Return the topmost account above an account, or itself."""
        above = self.hierarchy.ancestors(account_id) if self.hierarchy is not None else []
        return above[-1] if above else account_id

    def note(self, account_id: str, contact: Contact) -> None:
        """Count a decision, unless it is counted already."""
        with self._writing:
            self._by_account.setdefault(account_id, AccountContacts()).note(contact, self._of_accounts)
            if self._of_groups:
                group = self._by_group.setdefault(self.top_of(account_id), AccountContacts())
                group.note(contact, self._of_groups)

    def report(self, account_id: str, reported: Sequence[Reported]) -> None:
        """Replace what was reported of an account by all that is reported of it now."""
        with self._writing:
            account = self._by_account.setdefault(account_id, AccountContacts())
            account.report(reported, self._of_accounts, self.suppressions)

    def reached_by(self, account_id: str | None, channel: str | None, now: datetime) -> list[Reached]:
        """Return the limits and pauses in force that hold a request by a channel for an account."""
        if account_id is None:
            return []
        counted = [self._by_account.get(account_id)]
        if self._of_groups:
            counted.append(self._by_group.get(self.top_of(account_id)))
        with self._writing:
            reached = [each for unit in counted if unit is not None for each in unit.reached(self.limits, now)]
        return [each for each in reached if each.policy.concerns(channel) and each.policy.is_in_force(now)]

    def earliest_decision(self, now: datetime) -> datetime:
        """Return an instant before which no decision counts now."""
        counting = (limit for limit in self.limits.values() if limit.counts is Counted.DECIDED)
        return min((limit.window.begin_at(now) for limit in counting), default=now)

    def earliest_report(self, now: datetime) -> datetime:
        """Return an instant before which nothing that was reported counts for a limit now."""
        counting = (limit for limit in self.limits.values() if limit.counts in REPORTED_AS)
        return min((limit.window.begin_at(now) for limit in counting), default=now)

    @property
    def limited_kinds(self) -> set[OutcomeKind]:
        """The kinds of outcome that limits count."""
        return {REPORTED_AS[limit.counts] for limit in self.limits.values() if limit.counts in REPORTED_AS}

    @property
    def suppressing_kinds(self) -> set[OutcomeKind]:
        """The kinds of outcome that suppressions count: old ones, too, as they tell which have caused a pause."""
        return {kind for suppression in self.suppressions for kind in suppression.kinds}
