"""Dates as people and systems write them."""

import shlex
from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.rows.dates import DateFormat, DayMonthOrder, day_month_order_of
from service.rows.value_formats import parse_date_formats

MIDNIGHT = datetime(2025, 12, 31)  # noqa: DTZ001  dates in files have no zone of their own
EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "order", "time"),
    [
        ("31.12.2025", None, MIDNIGHT),
        ("31.12.2025 17:05", None, MIDNIGHT.replace(hour=17, minute=5)),
        ("1.2.2025", None, datetime(2025, 2, 1)),  # noqa: DTZ001
        ("12/31/2025", "mdy", MIDNIGHT),
        ("9/6/2026 6:29:00", "mdy", datetime(2026, 9, 6, 6, 29)),  # noqa: DTZ001
        ("9/6/2026 6:29 PM", "dmy", datetime(2026, 6, 9, 18, 29)),  # noqa: DTZ001
        ("12/31/2025, 12:00 a.m.", "mdy", MIDNIGHT),
        ("2025/12/31", None, MIDNIGHT),
        ("31-12-2025", "dmy", MIDNIGHT),
        ("31 Dec 2025", None, MIDNIGHT),
        ("31-Dec-2025", None, MIDNIGHT),
        ("December 31, 2025", None, MIDNIGHT),
        ("Wed, 31 Dec 2025 00:00:00 GMT", None, MIDNIGHT.replace(tzinfo=UTC)),
        ("2025-12-31 00:00:00 +0100", None, MIDNIGHT.replace(tzinfo=timezone(timedelta(hours=1)))),
        ("2025-12-31T00:00:00Z", None, MIDNIGHT.replace(tzinfo=UTC)),
        ("3/3/2025", None, datetime(2025, 3, 3)),  # noqa: DTZ001
    ],
)
def test_written_dates_are_read(text: str, order: DayMonthOrder | None, time: datetime) -> None:
    assert DateFormat(order=order).parse(text) == time


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (45384, EXCEL_EPOCH + timedelta(days=45384)),
        (45384.5, EXCEL_EPOCH + timedelta(days=45384, hours=12)),
        ("45384", datetime(2024, 4, 2)),  # noqa: DTZ001
        (20251231, MIDNIGHT),
        ("20251231", MIDNIGHT),
        (1_700_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
        ("1700000000", datetime.fromtimestamp(1_700_000_000, UTC)),
        (1_700_000_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
        (1_700_000_000_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
    ],
)
def test_bare_numbers_are_read_where_their_size_leaves_no_doubt(value: object, time: datetime) -> None:
    assert DateFormat().parse(value) == time


@pytest.mark.parametrize("value", [5, 2025, 19_800, 250_131, 20251341, "202512", 10**17, -1, True, "0", 1.5])
def test_other_bare_numbers_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"bare number|must be an ISO 8601|is not an ISO"):
        DateFormat().parse(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3/4/2025", "may begin with the day or with the month"),
        ("1/28/26", "less than four digits"),
        ("31/02/2025", "not a day of the calendar"),
        ("13/13/2025", "not a day of the calendar"),
        ("12/31/2025 25:00", "not a day of the calendar"),
        ("soon", "is not an ISO 8601"),
        ("12/31/2025 noonish", "is not an ISO 8601"),
    ],
)
def test_what_is_no_date_beyond_doubt_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DateFormat().parse(text)


@pytest.mark.parametrize(
    ("kind", "number", "time"),
    [
        ("epoch-seconds", 1000, datetime.fromtimestamp(1000, UTC)),
        ("epoch-milliseconds", 86_400_000, datetime.fromtimestamp(86_400, UTC)),
        ("excel", "20000", EXCEL_EPOCH + timedelta(days=20_000)),
        ("yyyymmdd", 19850102, datetime(1985, 1, 2)),  # noqa: DTZ001
    ],
)
def test_a_named_kind_of_numbers_holds_for_any_size(kind: str, number: object, time: datetime) -> None:
    assert parse_date_formats([kind])[""].parse(number) == time


def test_a_number_that_is_not_of_the_columns_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="bare number"):
        DateFormat(number="excel").parse(1_700_000_000)


def test_a_pattern_alone_is_read_where_one_is_given() -> None:
    short = DateFormat(pattern="%m/%d/%y")

    assert short.parse("12/31/25") == MIDNIGHT
    with pytest.raises(ValueError, match="is not written as %m/%d/%y"):
        short.parse("2025-12-31")


@pytest.mark.parametrize(
    ("text", "order"),
    [("31/12/2025", "dmy"), ("12/31/2025", "mdy"), ("3/4/2025", "either"), ("3.4.2025", "dmy"), ("2025-12-31", None)],
)
def test_a_date_shows_its_order_or_leaves_it_open(text: str, order: str | None) -> None:
    assert day_month_order_of(text) == order


@pytest.mark.parametrize(
    "text", ["31. Dezember 2025", "31. Dez. 2025", "31 décembre 2025", "31 déc. 2025 00:00", "Mi., 31. Dezember 2025"]
)
def test_german_and_french_months_are_read(text: str) -> None:
    assert DateFormat().parse(text) == MIDNIGHT


@pytest.mark.parametrize("text", ["31.12.25", "12/31/25", "12/31/25 12:00 AM", "31/12/25 00:00", "31-12-25 00:00:00"])
def test_the_format_that_is_suggested_for_short_years_reads_them(text: str) -> None:
    with pytest.raises(ValueError, match="four digits") as refused:
        DateFormat().parse(text)

    [suggested] = shlex.split(str(refused.value).partition("--date-format ")[2])
    assert parse_date_formats([suggested])[""].parse(text) == MIDNIGHT
