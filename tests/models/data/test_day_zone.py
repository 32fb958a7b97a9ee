"""Local seconds: what the wall clock shows, in the order of time, and back to the instant."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customers.activity import activity_of
from models.data.day_zone import DayZone
from models.data.history import History, build_history
from models.exchange import ExchangeOptions, ExchangeRates
from tests.models.histories import DAY

NAMES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia")
TIMES = st.integers(
    int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def day(text: str) -> int:
    return seconds(text) // DAY


@pytest.mark.parametrize(
    ("zone", "instant", "shown"),
    [
        ("UTC", "2024-03-01T01:30:00", "2024-03-01T01:30:00"),
        ("America/New_York", "2024-03-01T01:30:00", "2024-02-29T20:30:00"),
        ("Europe/Berlin", "2024-06-30T22:00:00", "2024-07-01T00:00:00"),
        ("Europe/Berlin", "2024-12-31T23:00:00", "2025-01-01T00:00:00"),
        # Clocks go forward from 2:00 to 3:00.
        ("Europe/Berlin", "2024-03-31T00:59:59", "2024-03-31T01:59:59"),
        ("Europe/Berlin", "2024-03-31T01:00:00", "2024-03-31T03:00:00"),
        # Clocks go back from 3:00 to 2:00: the second hour counts as the last second of the first one.
        ("Europe/Berlin", "2024-10-27T00:30:00", "2024-10-27T02:30:00"),
        ("Europe/Berlin", "2024-10-27T00:59:59", "2024-10-27T02:59:59"),
        ("Europe/Berlin", "2024-10-27T01:00:00", "2024-10-27T02:59:59"),
        ("Europe/Berlin", "2024-10-27T01:59:59", "2024-10-27T02:59:59"),
        ("Europe/Berlin", "2024-10-27T02:00:00", "2024-10-27T03:00:00"),
        # Clocks go back from midnight to 23:00: the second hour is still of the day that ends.
        ("Asia/Beirut", "2024-10-26T21:30:00", "2024-10-26T23:59:59"),
    ],
)
def test_a_local_second_is_what_the_clock_shows(zone: str, instant: str, shown: str) -> None:
    assert DayZone(zone).to_local_second(seconds(instant)) == seconds(shown)


@given(name=st.sampled_from(NAMES), times=st.lists(TIMES, min_size=1, max_size=20))
def test_days_are_those_of_the_zone_and_the_order_of_time_is_kept(name: str, times: list[int]) -> None:
    local = DayZone(name).to_local(np.array(sorted(times), dtype=np.int64))

    assert (np.diff(local) >= 0).all()
    days = [datetime.fromtimestamp(time, ZoneInfo(name)).date() for time in sorted(times)]
    assert [str(np.datetime64(number, "D")) for number in (local // DAY).tolist()] == [str(each) for each in days]


@given(name=st.sampled_from(NAMES), times=st.lists(TIMES, min_size=2, max_size=5))
def test_a_local_second_does_not_depend_on_the_other_times(name: str, times: list[int]) -> None:
    together = DayZone(name).to_local(np.array(times, dtype=np.int64))

    assert together.tolist() == [DayZone(name).to_local_second(time) for time in times]


@pytest.mark.parametrize(
    ("zone", "midnight", "instant"),
    [
        ("UTC", "2024-07-05T00:00:00", "2024-07-05T00:00:00"),
        ("America/New_York", "2024-07-05T00:00:00", "2024-07-05T04:00:00"),
        ("America/New_York", "2024-01-05T00:00:00", "2024-01-05T05:00:00"),
        ("Europe/Berlin", "2024-07-05T00:00:00", "2024-07-04T22:00:00"),
        # There was no midnight: clocks went forward to 1:00 at that moment.
        ("America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, midnight: str, instant: str) -> None:
    assert DayZone(zone).to_instant(seconds(midnight)) == seconds(instant)


@given(name=st.sampled_from(NAMES), time=TIMES)
def test_an_instant_is_the_first_that_is_not_before_its_local_second(name: str, time: int) -> None:
    zone, midnight = DayZone(name), time // DAY * DAY

    instant = zone.to_instant(midnight)

    assert zone.to_local_second(instant - 1) < midnight <= zone.to_local_second(instant)


def history_of(zone: str, *instants: str, rates: ExchangeRates | None = None) -> History:
    lines = pa.table(
        {
            "account_id": ["a"] * len(instants),
            "order_id": [str(number) for number in range(len(instants))],
            "product_id": ["p"] * len(instants),
            "ordered_at": [seconds(instant) for instant in instants],
            "quantity": [1.0] * len(instants),
            "amount_minor": [100] * len(instants),
            "currency": ["USD"] * len(instants),
        }
    )
    exchange = ExchangeOptions("EUR", rates) if rates else None
    return build_history(lines, None, None, exchange, DayZone(zone))


def activity_days(history: History) -> list[int]:
    margins = np.full(history.interactions.n_products, 0, dtype=np.int64)
    return list(map(int, activity_of(history.interactions, margins).day))


def test_an_evening_order_belongs_to_the_local_day() -> None:
    evening, next_morning = "2024-03-01T01:30:00", "2024-03-01T14:00:00"

    assert activity_days(history_of("UTC", evening, next_morning)) == [day("2024-03-01")]
    local = history_of("America/New_York", evening, next_morning)
    assert activity_days(local) == [day("2024-02-29"), day("2024-03-01")]


def test_days_on_both_sides_of_a_change_of_clocks_are_counted_once() -> None:
    # Midnights of Saturday to Monday in Berlin, and the last minute of Sunday, which has 25 hours.
    midnights = ["2024-10-25T22:00:00", "2024-10-26T22:00:00", "2024-10-27T23:00:00", "2024-10-27T22:59:00"]

    assert activity_days(history_of("Europe/Berlin", *midnights)) == [
        day("2024-10-26"), day("2024-10-27"), day("2024-10-28"),
    ]  # fmt: skip


def test_money_is_converted_at_the_rate_of_the_local_day() -> None:
    rates = ExchangeRates.from_rows([("USD", "EUR", day("2024-01-01"), 0.5), ("USD", "EUR", day("2024-03-01"), 0.25)])
    evening = "2024-03-01T01:30:00"

    assert history_of("UTC", evening, rates=rates).interactions.amount_minor.tolist() == [25]
    assert history_of("America/New_York", evening, rates=rates).interactions.amount_minor.tolist() == [50]
