"""Find out how a file writes its numbers and dates, before any row is stored.

What the first rows show is enough where they leave no doubt; otherwise the file is read on until a row decides. A
column that nothing decides is an error: a date or an amount is never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from service.rows.chunks import Source
from service.rows.dates import DateFormat, DayMonthOrder, NumberKind, day_month_order_of, kind_of_number, number_of
from service.rows.errors import InvalidImportOption
from service.rows.numbers import DecimalSign, sign_shown_by
from service.rows.value_formats import FieldFormat, FormatOptions, ValueFormats, texts_of, with_zone

FieldKind = Literal["number", "date"]
_ROWS_AT_A_TIME: Final = 10_000


def detect_formats(
    source: Source, columns: Mapping[str, str], kinds: Mapping[str, FieldKind], options: FormatOptions
) -> ValueFormats:
    """Return how each field of a file is written.

    columns: the file's column of each field. kinds: which fields are numbers, and which are dates.
    Raises InvalidImportOption for a column whose dates or numbers may be read in two ways.
    """
    dates = {name: _DateEvidence() for name, kind in kinds.items() if kind == "date" and name in columns}
    numbers = {name: _NumberEvidence() for name, kind in kinds.items() if kind == "number" and name in columns}
    evidence: dict[str, _DateEvidence | _NumberEvidence] = {
        **{name: each for name, each in dates.items() if not options.date_of(name)},
        **({} if options.decimal else numbers),
    }
    if evidence:
        _read_until_decided(source, columns, evidence)
    signs = {each.sign for each in numbers.values() if each.sign}
    shared: DecimalSign | None = options.decimal or (signs.pop() if len(signs) == 1 else None)
    _share_order(dates)
    for name, each in evidence.items():
        each.refuse_doubt(source, columns[name], name, shared)
    fields = {
        name: FieldFormat(date=with_zone(options.date_of(name) or each.date_format(), options.zone), is_from_file=True)
        for name, each in dates.items()
    }
    fields |= {
        name: FieldFormat(decimal=options.decimal or each.sign or shared, is_from_file=True)
        for name, each in numbers.items()
    }
    zoned = with_zone(options.dates.get("", DateFormat()), options.zone)
    return ValueFormats(fields, FieldFormat(decimal=shared, date=zoned, is_from_file=True))


def _share_order(dates: Mapping[str, "_DateEvidence"]) -> None:
    """A file writes its dates in one way: a column that shows its order settles it for those that leave it open."""
    orders = {each.order for each in dates.values() if each.order}
    for each in dates.values():
        if each.is_open and len(orders) == 1:
            each.order = next(iter(orders))


@dataclass
class _DateEvidence:
    """What the values of a column of dates have shown so far."""

    order: DayMonthOrder | None = None
    undecided: str | None = None
    contradiction: tuple[str, str] | None = None
    first_of: dict[DayMonthOrder, str] = field(default_factory=dict)
    numbers: dict[NumberKind, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.undecided is not None and self.order is None

    @property
    def is_settled(self) -> bool:
        return self.order is not None

    def add(self, values: Sequence[Any]) -> None:
        for text in texts_of(values):
            number = number_of(text.strip())
            if number is not None:
                self._add_number(number)
            elif shows := day_month_order_of(text):
                self._add_order(shows, text)
        for value in values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._add_number(value)

    def refuse_doubt(self, source: Source, column: str, name: str, _: object) -> None:
        advice = f"Say how dates are written, as in --date-format {name}:"
        if len(self.numbers) > 1:
            kinds = " and ".join(f"{kind} ({example})" for kind, example in self.numbers.items())
            raise InvalidImportOption(
                f"{source.path}: column {column} holds numbers of several kinds: {kinds}. {advice}excel"
            )
        if self.contradiction:
            first, second = self.contradiction
            raise InvalidImportOption(
                f"{source.path}: in column {column}, {first} begins with the day, and {second} with the month. "
                f"{advice}dmy"
            )
        if self.is_open:
            raise InvalidImportOption(
                f"{source.path}: column {column} does not show whether dates such as {self.undecided} begin with the "
                f"day or with the month. {advice}dmy, or {name}:mdy"
            )

    def date_format(self) -> DateFormat:
        return DateFormat(order=self.order, number=next(iter(self.numbers), None))

    def _add_number(self, number: float) -> None:
        kind = kind_of_number(number)
        if kind:
            self.numbers.setdefault(kind, number)

    def _add_order(self, shows: DayMonthOrder | Literal["either"], text: str) -> None:
        if shows == "either":
            self.undecided = self.undecided or text
            return
        self.first_of.setdefault(shows, text)
        self.order = self.order or shows
        if len(self.first_of) > 1:
            self.contradiction = (self.first_of["dmy"], self.first_of["mdy"])


@dataclass
class _NumberEvidence:
    """What the values of a column of numbers have shown so far."""

    sign: DecimalSign | None = None
    undecided: str | None = None

    @property
    def is_open(self) -> bool:
        return self.undecided is not None and self.sign is None

    @property
    def is_settled(self) -> bool:
        return self.sign is not None

    def add(self, values: Sequence[Any]) -> None:
        for text in texts_of(values) if self.sign is None else ():
            if "," not in text and "." not in text:
                continue
            shows = sign_shown_by(text)
            if shows in (".", ","):
                self.sign = shows
                return
            # 1.250 alone is how programs write it: only a comma leaves doubt.
            if shows == "either-comma":
                self.undecided = self.undecided or text

    def refuse_doubt(self, source: Source, column: str, _: str, shared: DecimalSign | None) -> None:
        if self.is_open and shared is None:
            raise InvalidImportOption(
                f"{source.path}: column {column} does not show whether the comma in {self.undecided} is a decimal one. "
                "Add --decimal , or --decimal ."
            )


def _read_until_decided(
    source: Source, columns: Mapping[str, str], evidence: Mapping[str, _DateEvidence | _NumberEvidence]
) -> None:
    wanted = list(dict.fromkeys(columns[name] for name in evidence))
    for chunk in source.chunks(wanted, _ROWS_AT_A_TIME, lambda _: None):
        for name, each in evidence.items():
            each.add(chunk.columns.get(columns[name], []))
        settled = {type(each) for each in evidence.values() if each.is_settled}
        if all(type(each) in settled for each in evidence.values() if each.is_open):
            return
