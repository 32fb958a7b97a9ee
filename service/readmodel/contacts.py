"""How often accounts were offered something, as far as limits ask for it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple, Self

from service.readmodel.contact_policies import Contact, ContactLimit
from service.readmodel.live_state import LiveState

ALWAYS = datetime.max.replace(tzinfo=UTC)
Counted = tuple[str, str]
"""What contacts count for: the identifier of a limit, and the product, category or line; see ``keys_of``."""


class Reached(NamedTuple):
    """A limit that an account has reached. key: see ``ContactLimit.keys_of``. until: when it ceases to be reached."""

    limit: ContactLimit
    key: str
    until: datetime


class AccountContacts:
    """The newest contacts of one account: no more than each limit allows, since older ones decide nothing.

    What is reached is worked out once, and again when a contact comes or the first limit ceases to be reached.
    """

    __slots__ = ("_checked_until", "_newest", "_reached")

    def __init__(self) -> None:
        self._newest: dict[Counted, tuple[tuple[datetime, str], ...]] = {}
        self._reached: tuple[Reached, ...] = ()
        self._checked_until: datetime | None = None

    def note(self, contact: Contact, limits: Iterable[ContactLimit]) -> None:
        """Count a contact, unless it is counted already."""
        dated = (contact.decided_at, contact.decision_id)
        for limit in limits:
            if not limit.concerns(contact.channel):
                continue
            for key in limit.keys_of(contact.products):
                newest = self._newest.get((limit.id, key), ())
                if dated not in newest:
                    self._newest[limit.id, key] = tuple(sorted((*newest, dated))[-limit.at_most :])
        self._checked_until = None

    def reached(self, limits: Mapping[str, ContactLimit], now: datetime) -> tuple[Reached, ...]:
        """Return the limits that are reached, whether they are in force or not. limits: by identifier."""
        if self._checked_until is None or now >= self._checked_until:
            self._reached = tuple(self._find_reached(limits, now))
            self._checked_until = min((each.until for each in self._reached), default=ALWAYS)
        return self._reached

    def _find_reached(self, limits: Mapping[str, ContactLimit], now: datetime) -> Iterable[Reached]:
        for (limit_id, key), newest in self._newest.items():
            limit = limits[limit_id]
            if len(newest) == limit.at_most:
                until = limit.window.end_of(newest[0][0])
                if until > now:
                    yield Reached(limit, key, until)


class Contacts:
    """The contacts of all accounts. Its limits never change: others make another object.

    Two threads write, each of them the same contact: the one that decides, and the one that follows the change log.
    """

    def __init__(self, limits: Sequence[ContactLimit]) -> None:
        self.limits = {limit.id: limit for limit in limits}
        self._by_account: dict[str, AccountContacts] = {}
        self._writing = Lock()

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(())

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self._by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for account_id in account_ids:
            self._by_account.pop(account_id, None)

    def note(self, account_id: str, contact: Contact) -> None:
        """Count a contact, unless it is counted already."""
        with self._writing:
            self._by_account.setdefault(account_id, AccountContacts()).note(contact, self.limits.values())

    def reached_by(self, account_id: str | None, channel: str | None, now: datetime) -> list[Reached]:
        """Return the limits in force that an account has reached, and that a request by a channel is held to."""
        account = self._by_account.get(account_id or "")
        if account is None:
            return []
        with self._writing:
            reached = account.reached(self.limits, now)
        return [each for each in reached if each.limit.concerns(channel) and each.limit.is_in_force(now)]

    def earliest(self, now: datetime) -> datetime:
        """Return an instant before which no contact counts now."""
        return min((limit.window.begin_at(now) for limit in self.limits.values()), default=now)
