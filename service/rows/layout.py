"""How a file is laid out: what has to be known before its first row can be read."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from service.rows.errors import InvalidImportOption


@dataclass(frozen=True)
class PackedItems:
    """Line items that share one cell of their order's row, such as ``sku:A|qty:2;sku:B|qty:1``.

    column: the cell's column. Each key becomes a column ``column.key``.
    """

    column: str
    item_separator: str = ";"
    field_separator: str = "|"
    key_separator: str = ":"


@dataclass(frozen=True)
class FileLayout:
    """How a file is laid out.

    encoding:  by default UTF-8, or what a byte order mark says. delimiter: by default the commonest in the header.
    skip_rows: lines above the header.
    fill_down: columns whose blank cells repeat the cell above; only between rows of one value of ``fill_down_within``.
    packed:    columns of which each cell holds several items: each item becomes a row.
    combined:  a column made of others: the first of them that is not blank.
    usual:     columns of ``fill_down`` and ``packed`` that a file may lack.
    """

    encoding: str | None = None
    delimiter: str | None = None
    skip_rows: int = 0
    fill_down: Sequence[str] = ()
    fill_down_within: str | None = None
    packed: Sequence[PackedItems] = ()
    combined: Mapping[str, Sequence[str]] = field(default_factory=dict)
    usual: frozenset[str] = frozenset()


PLAIN_LAYOUT: Final = FileLayout()


def parse_encoding(name: str | None) -> str | None:
    """Check that an encoding is known."""
    if name is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise InvalidImportOption(
            f"--encoding {name}: there is no such encoding; write utf-8, cp1252, latin-1 or another that Python knows."
        ) from error


def parse_delimiter(text: str | None) -> str | None:
    """Check that a delimiter is one character; ``tab`` and ``\\t`` name the tabulator."""
    if text is None:
        return None
    delimiter = "\t" if text.casefold() in ("tab", "\\t") else text
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InvalidImportOption(f"--delimiter {text}: write one character, or tab.")
    return delimiter


def distinct_names(names: Sequence[str]) -> list[str]:
    """Number the columns that share a name: ``Name (1)``, ``Name (2)``. They can then be told apart, or ignored."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return distinct
