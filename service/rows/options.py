"""The options of an import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from service.rows.conditions import Condition
from service.rows.errors import InvalidImportOption
from service.rows.layout import PLAIN_LAYOUT, FileLayout
from service.rows.order_options import OrderOptions
from service.rows.text_fields import read_currency
from service.rows.value_formats import NO_FORMATS, FormatOptions

UnknownProducts = Literal["add", "reject"]
MatchProducts = Literal["exactly", "names"]
AttributeType = Literal["text", "number", "boolean", "date"]
_ATTRIBUTE_TYPES: Final[dict[str, AttributeType]] = {
    "text": "text", "number": "number", "boolean": "boolean", "date": "date",
}  # fmt: skip
ValueMap = Mapping[str, str]
"""From a value as the file writes it, in lower case, to ours."""
MAX_REJECTED_SHARE: Final = 0.05
MAX_REMOVED_SHARE: Final = 0.1


@dataclass(frozen=True)
class ImportOptions:
    """How to import."""

    mapping: Sequence[tuple[str, str]] = ()
    """Pairs of the file's column and our field. One column may fill several fields."""
    where: Sequence[Condition] = ()
    unknown_products: UnknownProducts = "add"
    match_products: MatchProducts = "exactly"
    default_currency: str | None = None
    max_rejects: int | None = None
    max_rejected_share: float = MAX_REJECTED_SHARE
    """The share of rows that may be refused before an import counts as failed."""
    rejects: Path | None = None
    """Where rejected rows are written; by default ``<file's name>.rejects.csv`` in the current folder."""
    ignore: Sequence[str] = ()
    """Columns that fill no field, whatever they are called."""
    usual_columns: Mapping[str, str] = field(default_factory=dict)
    """The column that fills each field where a file has it: what a preset knows."""
    values: Mapping[str, ValueMap] = field(default_factory=dict)
    """Of each field, what the file's own values mean."""
    layout: FileLayout = PLAIN_LAYOUT
    formats: FormatOptions = NO_FORMATS
    attribute_types: Mapping[str, AttributeType] = field(default_factory=dict)
    orders: OrderOptions = field(default_factory=OrderOptions)
    is_complete: bool = False
    """Whether the files hold everything, so that what they lack is gone."""
    allow_removals: float = MAX_REMOVED_SHARE
    """The largest share of what is stored that may go because files lack it."""
    is_dry_run: bool = False
    """Read, check and count, but write nothing."""
    batch_rows: int = 50_000

    @property
    def were(self) -> str:
        """The verb of what a summary says was done: in a dry run, what would be."""
        return "would be" if self.is_dry_run else "were"

    @property
    def was(self) -> str:
        """The same of one."""
        return "would be" if self.is_dry_run else "was"


DEFAULT_OPTIONS: Final = ImportOptions()


def parse_mapping(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Parse ``THEIRS=OURS`` pairs: the file's column and our field."""
    pairs = []
    for text in texts:
        theirs, sign, ours = text.rpartition("=")
        if not sign or not theirs.strip() or not ours.strip():
            raise InvalidImportOption(f"--map {text}: write THEIRS=OURS.")
        pairs.append((theirs.strip(), ours.strip()))
    return pairs


def parse_value_maps(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse ``FIELD:THEIRS=OURS``: what a file's own value of a field means."""
    values: dict[str, dict[str, str]] = {}
    for text in texts:
        pair, sign, ours = text.rpartition("=")
        name, colon, theirs = pair.partition(":")
        if not sign or not colon or not name.strip() or not ours.strip():
            raise InvalidImportOption(
                f"--map-value {text}: write FIELD:THEIRS=OURS, such as status:refunded=cancelled."
            )
        values.setdefault(name.strip(), {})[theirs.strip().casefold()] = ours.strip()
    return values


def parse_attribute_types(texts: Sequence[str]) -> dict[str, AttributeType]:
    """Parse ``NAME=TYPE``."""
    types: dict[str, AttributeType] = {}
    for text in texts:
        name, _, given = text.rpartition("=")
        kind = _ATTRIBUTE_TYPES.get(given.strip())
        if not name.strip() or kind is None:
            raise InvalidImportOption(
                f"--attribute-type {text}: write NAME=text, NAME=number, NAME=boolean or NAME=date."
            )
        types[name.strip().removeprefix("attributes.")] = kind
    return types


def parse_default_currency(code: str | None) -> str | None:
    """Parse the currency of rows that name none."""
    try:
        return read_currency(code) if code else None
    except ValueError as error:
        raise InvalidImportOption(f"--default-currency {error}.") from error
