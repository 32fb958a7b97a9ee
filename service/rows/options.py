"""What an import is told, and what it tells."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from service.rows.errors import InvalidImportOption, close_columns

Kind = Literal["accounts", "products", "orders", "relationships", "deals"]
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
    found = _CONDITION.fullmatch(text)
    if not found:
        raise InvalidImportOption(f"--where {text}: write COLUMN=VALUE, COLUMN!=VALUE, COLUMN~REGEX or COLUMN!~REGEX.")
    column, operator, value = found[1].strip(), found[2], found[3]
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
    """Where rejected rows go; by default beside nothing: ``<file's name>.rejects.csv`` in the current folder."""
    batch_rows: int = 50_000


@dataclass
class Counts:
    """What became of rows in one table."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def add(self, new: int, changed: int, given: int) -> None:
        """Count some rows, of which those neither new nor changed were there already."""
        self.new += new
        self.changed += changed
        self.unchanged += given - new - changed


@dataclass
class ImportSummary:
    """What an import did, in numbers."""

    kind: Kind
    read: int = 0
    skipped: int = 0
    rejected: int = 0
    rows: Counts = field(default_factory=Counts)
    """Accounts, products, relationships, deals or order lines."""
    orders: Counts = field(default_factory=Counts)
    account_stubs: int = 0
    product_stubs: int = 0
    matched: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows whose product was read as another: (as written, as known)."""
    repeated: int = 0
    """Rows that a later row of the same file for the same identifier completed or replaced."""
    ignored_columns: dict[Path, list[str]] = field(default_factory=dict)
    rejects_files: list[Path] = field(default_factory=list)
    seconds: float = 0.0


def map_columns(path: Path, names: Sequence[str], fields: Sequence[str], options: ImportOptions) -> dict[str, str]:
    """Find which of the file's columns fills each field: those mapped, then those of the same name."""
    mapped: dict[str, str] = {}
    for theirs, ours in options.mapping:
        if theirs not in names:
            raise InvalidImportOption(f"{path}: --map {theirs}={ours}: {_no_column(theirs, names)}")
        if not _is_field(ours, fields):
            raise InvalidImportOption(
                f"--map {theirs}={ours}: there is no field {ours}; the fields are {', '.join(fields)}."
            )
        if mapped.setdefault(ours, theirs) != theirs:
            raise InvalidImportOption(f"--map: both {mapped[ours]} and {theirs} are mapped to {ours}.")
    for condition in options.where:
        if condition.column not in names:
            raise InvalidImportOption(f"{path}: --where: {_no_column(condition.column, names)}")
    spoken_for = set(mapped.values())
    same = {name: name for name in names if _is_field(name, fields) and name not in mapped and name not in spoken_for}
    return mapped | same


def _is_field(name: str, fields: Sequence[str]) -> bool:
    return name in fields or (name.startswith("attributes.") and "attributes" in fields)


def _no_column(name: str, names: Sequence[str]) -> str:
    close = close_columns(name, names)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"the file has no column {name}; its columns are {', '.join(names)}.{hint}"
