"""How a file writes its numbers and dates: what the caller says, or else what the columns show beyond doubt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, Final

from pydantic import ValidationInfo

from service.base.time_zones import find_zone
from service.rows.dates import ISO, DateFormat
from service.rows.errors import InvalidImportOption
from service.rows.numbers import DecimalSign

_NAMED_FORMATS: Final = {
    "iso": DateFormat(),
    "dmy": DateFormat(order="dmy"),
    "mdy": DateFormat(order="mdy"),
    "epoch-seconds": DateFormat(number="epoch-seconds", is_named=True),
    "epoch-milliseconds": DateFormat(number="epoch-milliseconds", is_named=True),
    "epoch-microseconds": DateFormat(number="epoch-microseconds", is_named=True),
    "yyyymmdd": DateFormat(number="yyyymmdd", is_named=True),
    "excel": DateFormat(number="excel", is_named=True),
}


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the caller says of a file's formats.

    dates: the format of each field; the empty name stands for all fields that are not named.
    """

    decimal: DecimalSign | None = None
    dates: Mapping[str, DateFormat] = field(default_factory=dict)
    zone: tzinfo = UTC

    def date_of(self, name: str) -> DateFormat | None:
        """The format that was given for a field, if any."""
        return self.dates.get(name) or self.dates.get("")


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """How one field is written. decimal: None where the file has not shown it."""

    decimal: DecimalSign | None = "."
    date: DateFormat = ISO
    is_from_file: bool = False


@dataclass(frozen=True, slots=True)
class ValueFormats:
    """How the fields of one file are written; ``default`` is for those without a format of their own."""

    fields: Mapping[str, FieldFormat] = field(default_factory=dict)
    default: FieldFormat = FieldFormat(is_from_file=True)

    def field(self, name: str | None) -> FieldFormat:
        """How a field is written."""
        return self.fields.get(name or "", self.default)


NO_FORMATS: Final = FormatOptions()
"""The caller says nothing."""
USUAL_FORMATS: Final = ValueFormats()
"""ISO 8601 and decimal points, and whatever else can be read in one way alone."""
REQUEST_FORMAT: Final = FieldFormat()
"""Requests write ISO 8601 and decimal points."""


def format_of(info: ValidationInfo) -> FieldFormat:
    """The format of the field that is being validated: the context of the validation names it."""
    context = info.context
    if isinstance(context, FieldFormat):
        return context
    return context.field(info.field_name) if isinstance(context, ValueFormats) else REQUEST_FORMAT


def parse_decimal_sign(text: str | None) -> DecimalSign | None:
    """Check a decimal sign."""
    if text is None or text == "." or text == ",":
        return text  # type: ignore[return-value]
    raise InvalidImportOption(f"--decimal {text}: write . or ,")


def parse_date_formats(texts: Sequence[str]) -> dict[str, DateFormat]:
    """Parse ``FORMAT`` or ``FIELD:FORMAT``; a format is a name, or a pattern such as ``%d.%m.%Y``."""
    formats: dict[str, DateFormat] = {}
    for text in texts:
        name, colon, rest = text.partition(":")
        is_named = colon and "%" not in name and name.strip().isidentifier()
        name, pattern = (name.strip(), rest.strip()) if is_named else ("", text.strip())
        known = _NAMED_FORMATS.get(pattern.casefold())
        if known is None and "%" not in pattern:
            raise InvalidImportOption(
                f"--date-format {text}: write {', '.join(_NAMED_FORMATS)} or a pattern such as %d.%m.%Y; "
                "for one field alone, FIELD:FORMAT."
            )
        formats[name] = known or DateFormat(pattern=pattern)
    return formats


def parse_zone(name: str | None) -> tzinfo:
    """Check the name of a time zone, such as ``Europe/Berlin``."""
    try:
        return find_zone(name) if name else UTC
    except ValueError as error:
        raise InvalidImportOption(f"--timezone {name}: {error}.") from error


def with_zone(format_: DateFormat, zone: tzinfo) -> DateFormat:
    """A format whose times without an offset are of a zone."""
    return replace(format_, zone=zone)


def texts_of(values: Iterable[Any]) -> list[str]:
    """The distinct texts among some values, in their order."""
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))
