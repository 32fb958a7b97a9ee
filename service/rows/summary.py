"""What an import did, in numbers."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.rows.notes import Notes


@dataclass
class Counts:
    """What became of rows in one table."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def add(self, new: int, changed: int, given: int) -> None:
        """Count ``given`` rows; those neither new nor changed were stored already."""
        self.new += new
        self.changed += changed
        self.unchanged += given - new - changed


@dataclass
class ImportSummary:
    """What an import did with its files."""

    kind: str
    row_noun: str = ""
    """What a row is called: ``order lines``. The kind's name if empty."""
    read: int = 0
    skipped: int = 0
    rejected: int = 0
    footer_lines: int = 0
    """Lines below the rows of a report, which are none."""
    rows: Counts = field(default_factory=Counts)
    """Accounts, products, relationships, deals or order lines."""
    orders: Counts = field(default_factory=Counts)
    account_stubs: int = 0
    product_stubs: int = 0
    matched: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows whose product was read as another: (as written, as known)."""
    repeated: int = 0
    """Rows that completed or replaced an earlier row of the same file with the same identifier."""
    columns: dict[Path, dict[str, str]] = field(default_factory=dict)
    """Of each file, the column that filled each field."""
    ignored_columns: dict[Path, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What else is worth knowing, a sentence each."""
    sample: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run, the first rows as they would be stored."""
    rejects_files: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What the user should do something about."""
    seconds: float = 0.0
    counted_notes: Notes = field(default_factory=Notes)
    """What else is worth knowing of rows, each with their number."""

    @property
    def rejected_share(self) -> float:
        """The share of the rows, except skipped ones, that were refused."""
        return self.rejected / max(1, self.read - self.skipped)
