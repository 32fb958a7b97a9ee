"""How dates and times are written in files, and reading them."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final, Literal

from service.rows.text_fields import shown

DayMonthOrder = Literal["dmy", "mdy"]
NumberKind = Literal["epoch-seconds", "epoch-milliseconds", "epoch-microseconds", "yyyymmdd", "excel"]

_EXCEL_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  a spreadsheet's times have no zone
_WRITTEN: Final = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:(?:, ?| +|T)(.+))?")
_DAY_MONTH_NAME: Final = re.compile(
    r"(?:[^\W\d_]{2,10}\.?,? +)?(\d{1,2})\.?[ -]([^\W\d_]{3,10})\.?,?[ -](\d{4})(?:,? +(.+))?"
)
_MONTH_NAME_DAY: Final = re.compile(r"(?:[A-Za-z]{3,9},? +)?([A-Za-z]{3,9})\.? +(\d{1,2}),? +(\d{4})(?:,? +(.+))?")
_TIME: Final = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)? *(?:([ap])\.?m\.?)? *(z|utc|gmt|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"), ("feb", "february"), ("mar", "march"), ("apr", "april"), ("may",), ("jun", "june"),
            ("jul", "july"), ("aug", "august"), ("sep", "sept", "september"), ("oct", "october"),
            ("nov", "november"), ("dec", "december"),
        ),
        start=1,
    )
    for name in names
} | {
    name: number
    for number, names in enumerate(
        (
            ("januar", "jänner", "janv", "janvier"), ("februar", "févr", "février"), ("mär", "mrz", "märz", "mars"),
            ("avr", "avril"), ("mai",), ("juni", "juin"), ("juli", "juil", "juillet"), ("août",), ("septembre",),
            ("okt", "oktober", "octobre"), ("novembre",), ("dez", "dezember", "déc", "décembre"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
NOT_A_DATE: Final = "is not an ISO 8601 date or time, such as 2017-03-31T09:30:00Z"
_OTHER_PATTERN: Final = "If it is written otherwise, say how, as in --date-format '%d %b %Y'"
# Ranges that do not overlap: a number in one of them can hardly be anything else.
_RANGES: Final[tuple[tuple[float, float, NumberKind], ...]] = (
    (32_874, 73_050, "excel"),  # 1990 to 2099
    (19_000_101, 21_991_231, "yyyymmdd"),
    (1e8, 4_102_444_800, "epoch-seconds"),  # 1973 to 2099
    (1e11, 4_102_444_800e3, "epoch-milliseconds"),
    (1e14, 4_102_444_800e6, "epoch-microseconds"),
)


@dataclass(frozen=True, slots=True)
class DateFormat:
    """How one column writes its dates. ISO 8601 is always read.

    order:   whether the day or the month comes first in dates such as 3/4/2026; None if that is not known.
    number:  what bare numbers are; None where each number's own size decides.
    is_named: whether the caller named that kind: then it holds for numbers of any size.
    pattern: a pattern of ``strptime`` that alone is read.
    zone:    of times that name no offset.
    """

    order: DayMonthOrder | None = None
    number: NumberKind | None = None
    is_named: bool = False
    pattern: str | None = None
    zone: tzinfo = UTC

    def parse(self, value: object) -> datetime:
        """Read a date or time; without a zone if it names none. Raises ValueError."""
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001  the caller adds the zone
        if self.pattern:
            return _by_pattern(str(value).strip(), self.pattern)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._from_number(value)
        if not isinstance(value, str):
            raise ValueError(f"must be an ISO 8601 date or time, not {shown(value)}")  # noqa: TRY004  as above
        text = value.strip()
        number = number_of(text)
        return self._from_text(text) if number is None else self._from_number(number)

    def _from_text(self, text: str) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return parse_written(text, self.order)

    def _from_number(self, number: float) -> datetime:
        if self.number and self.is_named:
            return _convert(number, self.number)
        kind = kind_of_number(number)
        if kind is None or self.number not in (None, kind):
            raise ValueError(
                f"is a bare number that is no date beyond doubt: {shown(number)}. If it is one, say how it is written, "
                "as in --date-format epoch-seconds"
            )
        return _convert(number, kind)


ISO: Final = DateFormat()
"""ISO 8601, and numbers by their size."""


def number_of(text: str) -> float | None:
    """The number that a text is, if it is digits alone, perhaps with a fraction."""
    if not text[:1].isdigit() or not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    return int(text) if text.isdigit() else float(text)


def kind_of_number(number: float) -> NumberKind | None:
    """What a bare number in a column of dates is, by its size; None where that is open."""
    for low, high, kind in _RANGES:
        if low <= number <= high:
            return kind if kind != "yyyymmdd" or _is_calendar_day(number) else None
    return None


def parse_written(text: str, order: DayMonthOrder | None) -> datetime:
    """Read a date as people write it, with a time or without: 31.12.2025, 12/31/2025 6:29 PM, 3 Jan 2025."""
    if parts := _WRITTEN.fullmatch(text):
        first, sign, second, third, time = parts.groups()
        year, month, day = _year_month_day(text, (first, second, third), sign, order)
    elif parts := _DAY_MONTH_NAME.fullmatch(text):
        year, month, day, time = int(parts[3]), _MONTHS.get(parts[2].casefold(), 0), int(parts[1]), parts[4]
    elif parts := _MONTH_NAME_DAY.fullmatch(text):
        year, month, day, time = int(parts[3]), _MONTHS.get(parts[1].casefold(), 0), int(parts[2]), parts[4]
    else:
        raise ValueError(f"{NOT_A_DATE}: {shown(text)}. {_OTHER_PATTERN}")
    return _with_time(text, (year, month, day), time)


def day_month_order_of(text: str) -> DayMonthOrder | Literal["either"] | None:
    """Which order a text such as 31/12/2025 shows, if it is of that kind."""
    parts = _WRITTEN.fullmatch(text.strip())
    if not parts or len(parts[1]) > 2 or len(parts[4]) != 4:
        return None
    first, second = int(parts[1]), int(parts[3])
    if parts[2] == "." or first > 12:
        return "dmy"
    return "mdy" if second > 12 else ("either" if first != second else None)


def is_written_day(text: str) -> bool:
    """Whether a text is a day with a year of four digits at its end, perhaps with a time: 31.12.2025, 3 Jan 2025."""
    text = text.strip()
    parts = _WRITTEN.fullmatch(text)
    if parts:
        return len(parts[1]) <= 2 and len(parts[4]) == 4
    return any(pattern.fullmatch(text) for pattern in (_DAY_MONTH_NAME, _MONTH_NAME_DAY))


def _year_month_day(
    text: str, numbers: tuple[str, str, str], sign: str, order: DayMonthOrder | None
) -> tuple[int, int, int]:
    first, second, third = numbers
    if len(first) == 4:
        return int(first), int(second), int(third)
    if len(third) != 4:
        raise ValueError(
            f"has a year of less than four digits: {shown(text)}. Say how dates are written, as in "
            f"--date-format {_two_digit_pattern(text, sign)}"
        )
    shows = day_month_order_of(text)
    if order is None and shows == "either" and sign != ".":
        raise ValueError(f"may begin with the day or with the month: {shown(text)}. Add --date-format dmy, or mdy")
    is_month_first = (order or shows) == "mdy"
    return (int(third), int(first), int(second)) if is_month_first else (int(third), int(second), int(first))


def _two_digit_pattern(text: str, sign: str) -> str:
    """The pattern that a date with a year of two digits may have, to be copied into a shell."""
    numbers = _WRITTEN.fullmatch(text)
    clock = _TIME.fullmatch(numbers[5].strip()) if numbers and numbers[5] else None
    is_month_first = sign == "/" and int(text.split(sign)[0]) <= 12
    day = "%m/%d/%y" if is_month_first else sign.join(("%d", "%m", "%y"))
    if not clock:
        return day
    time = (("%I" if clock[5] else "%H") + ":%M") + (":%S" if clock[3] else "") + (" %p" if clock[5] else "")
    return shlex.quote(f"{day} {time}")


def _with_time(text: str, day: tuple[int, int, int], time: str | None) -> datetime:
    clock = _TIME.fullmatch(time.strip()) if time else None
    if time and not clock:
        raise ValueError(f"{NOT_A_DATE}: {shown(text)}")
    try:
        midnight = datetime(*day)  # noqa: DTZ001  the zone is added below, or by the caller
        return _at_clock(midnight, clock) if clock else midnight
    except ValueError:
        raise ValueError(f"is not a day of the calendar: {shown(text)}; correct it") from None


def _at_clock(midnight: datetime, clock: re.Match[str]) -> datetime:
    hour, minute, second, fraction, half, offset = clock.groups()
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError("no hour of a twelve-hour clock")
        hours = hours % 12 + (12 if half in "pP" else 0)
    microseconds = int((fraction or "0").ljust(6, "0"))
    time = midnight.replace(hour=hours, minute=int(minute), second=int(second or 0), microsecond=microseconds)
    return time.replace(tzinfo=_offset(offset)) if offset else time


def _offset(text: str) -> tzinfo:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _by_pattern(text: str, pattern: str) -> datetime:
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007  the caller adds the zone
    except ValueError:
        raise ValueError(f"is not written as {pattern}: {shown(text)}") from None


def _is_calendar_day(number: float) -> bool:
    try:
        _convert(number, "yyyymmdd")
    except ValueError:
        return False
    return True


def _convert(number: float, kind: NumberKind) -> datetime:
    converters: dict[NumberKind, Callable[[float], datetime]] = {
        "epoch-seconds": lambda given: datetime.fromtimestamp(given, tz=UTC),
        "epoch-milliseconds": lambda given: datetime.fromtimestamp(given / 1e3, tz=UTC),
        "epoch-microseconds": lambda given: datetime.fromtimestamp(given / 1e6, tz=UTC),
        "yyyymmdd": lambda given: datetime.strptime(str(int(given)), "%Y%m%d"),  # noqa: DTZ007
        "excel": lambda given: _EXCEL_EPOCH + timedelta(seconds=round(given * 86_400)),
    }
    try:
        return converters[kind](number)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"is out of range for {kind}: {shown(number)}") from None
