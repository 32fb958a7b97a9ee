"""The options of an import, and how the columns of a file are mapped to fields."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from service.rows.errors import InvalidImportOption, close_columns
from service.rows.text_fields import read_currency

UnknownProducts = Literal["match", "add", "reject"]
_CONDITION: Final = re.compile(r"(.+?)(!=|!~|=|~)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """Which rows to import, by one of the file's own columns."""

    column: str
    is_wanted: Callable[[str], bool]

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


def parse_mapping(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Parse ``THEIRS=OURS`` pairs: the file's column and our field."""
    pairs = []
    for text in texts:
        theirs, sign, ours = text.rpartition("=")
        if not sign or not theirs.strip() or not ours.strip():
            raise InvalidImportOption(f"--map {text}: write THEIRS=OURS.")
        pairs.append((theirs.strip(), ours.strip()))
    return pairs


def parse_default_currency(code: str | None) -> str | None:
    """Parse the currency of rows that name none."""
    try:
        return read_currency(code) if code else None
    except ValueError as error:
        raise InvalidImportOption(f"--default-currency {error}.") from error


@dataclass(frozen=True)
class ImportOptions:
    """How to import."""

    mapping: Sequence[tuple[str, str]] = ()
    """Pairs of the file's column and our field. One column may fill several fields."""
    where: Sequence[Condition] = ()
    unknown_products: UnknownProducts = "match"
    default_currency: str | None = None
    max_rejects: int | None = None
    rejects: Path | None = None
    """Where rejected rows are written; by default ``<file's name>.rejects.csv`` in the current folder."""
    batch_rows: int = 50_000


def map_columns(
    path: Path,
    names: Sequence[str],
    fields: Sequence[str],
    options: ImportOptions,
    aliases: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the file's column for each field that has one: those mapped, then those of the same name or an alias.

    aliases: another name of a field that a file may use, and the field.
    """
    mapped: dict[str, str] = {}
    for theirs, ours in options.mapping:
        if theirs not in names:
            raise InvalidImportOption(f"{path}: --map {theirs}={ours}: {_no_column(theirs, names)}")
        if not is_field(ours, fields):
            raise InvalidImportOption(
                f"--map {theirs}={ours}: there is no field {ours}; the fields are {', '.join(fields)}."
            )
        if mapped.setdefault(ours, theirs) != theirs:
            raise InvalidImportOption(f"--map: both {mapped[ours]} and {theirs} are mapped to {ours}.")
    for condition in options.where:
        if condition.column not in names:
            raise InvalidImportOption(f"{path}: --where: {_no_column(condition.column, names)}")
    unmapped = [name for name in names if name not in mapped.values()]
    same_name = {name: name for name in unmapped if is_field(name, fields)}
    by_alias = {aliases[name]: name for name in unmapped if name in aliases} if aliases else {}
    return by_alias | same_name | mapped


def is_field(name: str, fields: Sequence[str]) -> bool:
    """Whether a kind of row with these fields has a field of this name; ``attributes.NAME`` is one of attributes."""
    return name in fields or (name.startswith("attributes.") and "attributes" in fields)


def _no_column(name: str, names: Sequence[str]) -> str:
    close = close_columns(name, names)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"the file has no column {name}; its columns are {', '.join(names)}.{hint}"
