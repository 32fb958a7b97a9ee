"""What the texts of one attribute show of its type, and of how its numbers and dates are written."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from service.rows.dates import DayMonthOrder, day_month_order_of, is_written_day
from service.rows.numbers import DecimalSign, parse_number, sign_shown_by
from service.rows.options import AttributeType
from service.rows.text_fields import EXACT_FLOAT, shown
from service.rows.time_fields import read_timestamp
from service.rows.value_formats import FieldFormat

INFERRED: Final[tuple[AttributeType, ...]] = ("boolean", "number", "date")
_BOOLEANS: Final = {"true": True, "yes": True, "false": False, "no": False}
_SIGNS: Final[tuple[DecimalSign, ...]] = (".", ",")
_ORDERS: Final[tuple[DayMonthOrder, ...]] = ("dmy", "mdy")
_MAX_EXCEPTIONS_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class TextEvidence:
    """What one text shows. misfits: the types that it does not fit."""

    misfits: tuple[AttributeType, ...]
    sign: str | None
    order: str | None


@dataclass
class ColumnEvidence:
    """What the texts of one attribute have shown.

    misses: of each type, how many values it does not fit. exceptions: the first of these.
    signs, orders: the first value that shows a decimal sign, or whether the day or the month comes first.
    open_number, open_date: the first value that may be read in two ways.
    """

    n: int = 0
    misses: dict[AttributeType, int] = field(default_factory=lambda: dict.fromkeys(INFERRED, 0))
    exceptions: dict[AttributeType, str] = field(default_factory=dict)
    signs: dict[DecimalSign, str] = field(default_factory=dict)
    orders: dict[DayMonthOrder, str] = field(default_factory=dict)
    open_number: str | None = None
    open_date: str | None = None

    def add(self, value: str, evidence: TextEvidence) -> None:
        """Learn from one more value."""
        self.n += 1
        for kind in evidence.misfits:
            self.misses[kind] += 1
            self.exceptions.setdefault(kind, value)
        self.add_formats(value, evidence)

    def add_formats(self, value: str, evidence: TextEvidence) -> None:
        """Learn how numbers and dates are written."""
        if evidence.sign in _SIGNS:
            self.signs.setdefault(evidence.sign, value)
        elif evidence.sign == "either-comma":
            self.open_number = self.open_number or value
        if evidence.order in _ORDERS:
            self.orders.setdefault(evidence.order, value)
        elif evidence.order == "either":
            self.open_date = self.open_date or value

    def format_of(self, written: FieldFormat) -> FieldFormat:
        """How the column is written: as it shows by itself, or else as the file is."""
        decimal = next(iter(self.signs), written.decimal)
        return replace(written, decimal=decimal, date=replace(written.date, order=self._order(written)))

    def type_in(self, written: FieldFormat) -> AttributeType:
        """The type that all values have and that leaves no doubt about any; text if there is none."""
        fitting = (kind for kind in INFERRED if self.n and not self.misses[kind] and not self.doubt(kind, written))
        return next(fitting, "text")

    def warning(self, name: str, written: FieldFormat) -> str | None:
        """Why a column is read as text that is nearly one of another type, and what to do, if so."""
        if self.type_in(written) != "text" or not self.n:
            return None
        for kind in INFERRED:
            if not self.misses[kind] and (doubt := self.doubt(kind, written)):
                return doubt
        for kind in INFERRED:
            if not 0 < self.misses[kind] <= self.n * _MAX_EXCEPTIONS_SHARE:
                continue
            return (
                f"{self.misses[kind]:,} of {self.n:,} values are no {kind}, such as {shown(self.exceptions[kind])}. "
                f"Correct them, or refuse their rows: --attribute-type {name}={kind}"
            )
        return None

    def doubt(self, kind: AttributeType, written: FieldFormat) -> str | None:
        """Why values of a type may be read in two ways, if so."""
        if kind == "number":
            if len(self.signs) > 1:
                return f"its values have different decimal signs, such as {' and '.join(self.signs.values())}"
            if self.open_number and not self.format_of(written).decimal:
                return f"the comma in {self.open_number} may be a decimal one. Add --decimal . or --decimal ,"
        if kind == "date":
            if len(self.orders) > 1:
                both = " and ".join(self.orders.values())
                return f"some of its dates begin with the day and others with the month, such as {both}"
            if self.open_date and not self._order(written):
                return f"{self.open_date} may begin with the day or with the month. Add --date-format dmy, or mdy"
        return None

    def _order(self, written: FieldFormat) -> DayMonthOrder | None:
        return next(iter(self.orders), written.date.order)


def evidence_of(value: str, written: FieldFormat) -> TextEvidence:
    """What one text shows."""
    misfits = tuple(kind for kind in INFERRED if not _fits(value, kind, written))
    sign = sign_shown_by(value) if "number" not in misfits else None
    order = day_month_order_of(value) if "date" not in misfits and not written.date.pattern else None
    return TextEvidence(misfits, sign, order)


def convert(value: str, kind: AttributeType, written: FieldFormat) -> Any:
    """Read a text as a type. Raises ValueError."""
    if kind == "boolean":
        if value.strip().casefold() not in _BOOLEANS:
            raise ValueError(f"must be true, false, yes or no, not {shown(value)}")
        return _BOOLEANS[value.strip().casefold()]
    if kind == "number":
        return _number(value, written)
    return _date(value, written) if kind == "date" else value


def _fits(value: str, kind: AttributeType, written: FieldFormat) -> bool:
    """Whether a text can be read as a type, by any decimal sign and order of day and month."""
    if kind == "number":
        return not _is_code(value) and any(_can_convert(value, kind, replace(written, decimal=sign)) for sign in _SIGNS)
    if kind == "date" and not written.date.pattern:
        if is_written_day(value):
            dates = (replace(written.date, order=order) for order in _ORDERS)
            return any(_can_convert(value, kind, replace(written, date=date)) for date in dates)
        if len(value) < 10 or value[4:5] != "-":
            return False
    return _can_convert(value, kind, written)


def _can_convert(value: str, kind: AttributeType, written: FieldFormat) -> bool:
    try:
        convert(value, kind, written)
    except ValueError:
        return False
    return True


def _number(value: str, written: FieldFormat) -> int | float:
    number = parse_number(value, written.decimal)
    if number is None or not number.is_finite() or abs(number) > EXACT_FLOAT:
        raise ValueError(f"is not a number: {shown(value)}")
    return int(number) if number == number.to_integral_value() else float(number)


def _date(value: str, written: FieldFormat) -> str:
    time = read_timestamp(value, written)
    is_day = ":" not in value and time.astimezone(written.date.zone).time().isoformat() == "00:00:00"
    return time.astimezone(written.date.zone).date().isoformat() if is_day else time.isoformat()


def _is_code(value: str) -> bool:
    """Whether digits are a code, such as a postal code or a telephone number, that a number would spoil."""
    text = value.strip().lstrip("-")
    return text.startswith("+") or (len(text) > 1 and text[0] == "0" and text[1].isdigit()) or "e" in text.casefold()
