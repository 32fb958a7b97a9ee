"""Which rows of a file to import: ``--where``."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from service.rows.errors import InvalidImportOption

_CONDITION: Final = re.compile(r"(.+?)(!=|!~|=|~)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """Which rows to import, by one of the file's own columns."""

    column: str
    is_wanted: Callable[[str], bool]
    is_optional: bool = False
    """A file without the column has all of its rows imported."""

    def flags(self, values: Sequence[Any]) -> list[bool]:
        """Which of a column's values are wanted."""
        return [self.is_wanted(as_text(value)) for value in values]


def parse_condition(text: str) -> Condition:
    """Parse ``COLUMN=VALUE``, ``COLUMN!=VALUE``, ``COLUMN~REGEX`` or ``COLUMN!~REGEX``."""
    parts = _CONDITION.fullmatch(text)
    if not parts:
        raise InvalidImportOption(f"--where {text}: write COLUMN=VALUE, COLUMN!=VALUE, COLUMN~REGEX or COLUMN!~REGEX.")
    column, operator, value = parts[1].strip(), parts[2], parts[3]
    if operator in ("=", "!="):
        return Condition(column, (lambda given: given == value) if operator == "=" else (lambda given: given != value))
    try:
        search = re.compile(value).search
    except re.error as error:
        raise InvalidImportOption(f"--where {text}: {value} is not a regular expression: {error}.") from error
    return Condition(
        column, (lambda given: bool(search(given))) if operator == "~" else lambda given: not search(given)
    )


def as_text(value: object) -> str:
    """A value as ``--where`` compares it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)
