"""Limits of contacts agree with counting all contacts one by one, in whatever order they are heard of."""

from datetime import datetime, timedelta
from random import Random

import pytest

from service.readmodel.contact_policies import Contact, ContactLimit, ContactProduct, Per
from service.readmodel.contact_windows import CalendarUnit, CalendarWindow, ContactWindow, RollingWindow
from service.readmodel.contacts import Contacts
from service.readmodel.policies import PolicyScope
from tests.service.conftest import NOON

PRODUCTS = [ContactProduct(f"p{number}", ("", "brew", "eat")[number % 3], "ab"[number % 2]) for number in range(8)]
WINDOWS: list[ContactWindow] = [
    RollingWindow(timedelta(days=3)),
    RollingWindow(timedelta(hours=5)),
    CalendarWindow(CalendarUnit.WEEK, "Europe/Berlin"),
    CalendarWindow(CalendarUnit.MONTH, "America/New_York"),
    CalendarWindow(CalendarUnit.QUARTER, "UTC"),
]
SCOPES = [None, PolicyScope(categories=["a"]), PolicyScope(products=["p1", "p4"]), PolicyScope(lines=["eat"])]


def some_limit(random: Random, number: int) -> ContactLimit:
    channels = random.choice([None, frozenset({"email"}), frozenset({"email", "phone"})])
    per, scope = random.choice(list(Per)), random.choice(SCOPES)
    return ContactLimit(f"l{number}", random.randint(1, 4), random.choice(WINDOWS), per, channels, scope)


def some_contact(random: Random, number: int) -> Contact:
    decided_at = NOON + timedelta(minutes=random.randint(-20_000, 20_000))
    channel = random.choice([None, "email", "phone", "shop"])
    return Contact(decided_at, f"d{number:03}", channel, random.sample(PRODUCTS, random.randint(1, 3)))


def expected(limits: list[ContactLimit], contacts: list[Contact], now: datetime) -> dict[tuple[str, str], datetime]:
    """Return when each limit that is reached ceases to be, by counting at every later end of a contact."""
    reached: dict[tuple[str, str], datetime] = {}
    for limit in limits:
        counted = [
            contact for contact in contacts if limit.channels is None or contact.channel in (None, *limit.channels)
        ]
        for key in {key for contact in counted for key in limit.keys_of(contact.products)}:
            ends = [limit.window.end_of(each.decided_at) for each in counted if key in limit.keys_of(each.products)]
            instants = [now, *sorted(end for end in ends if end > now)]
            until = next(instant for instant in instants if sum(end > instant for end in ends) < limit.at_most)
            if until > now:
                reached[limit.id, key] = until
    return reached


@pytest.mark.parametrize("seed", range(60))
def test_limits_are_reached_as_counting_says(seed: int) -> None:
    random = Random(seed)
    limits = [some_limit(random, number) for number in range(4)]
    contacts = [some_contact(random, number) for number in range(25)]
    kept = Contacts(limits)
    heard: list[Contact] = []
    now = NOON - timedelta(days=14)
    for contact in [*contacts, *random.choices(contacts, k=10)]:
        kept.note("ann", contact)
        heard = [*heard, *([contact] if contact not in heard else [])]
        now += timedelta(hours=random.randint(0, 20))

        reached = {(each.policy.id, each.key): each.until for each in kept.reached_by("ann", None, now)}

        # What is to come counts already: another worker's clock may be ahead.
        assert reached == expected(limits, heard, now)
    assert kept.reached_by("bob", None, now) == []
    kept.erase(["ann"], [])
    assert kept.reached_by("ann", None, now) == []


@pytest.mark.parametrize("window", WINDOWS)
def test_what_ended_before_a_window_begins_does_not_count(window: ContactWindow) -> None:
    for hours in range(0, 5000, 7):
        now = NOON + timedelta(hours=hours)
        begin = window.begin_at(now)

        assert begin <= now < window.end_of(begin + timedelta(microseconds=1))
        assert window.end_of(begin - timedelta(microseconds=1)) <= now
