"""Text that goes through a spreadsheet and back without running as a formula.

OWASP, "CSV Injection": a cell that begins with one of these signs may be run by whoever opens the file.
"""

from typing import Final

_SIGNS: Final = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
"""Of both widths; and the apostrophe itself, so that ``plain`` undoes what ``harmless`` did and nothing else."""


def harmless(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if text[:1] in _SIGNS else text


def plain(cell: object) -> object:
    """Undo ``harmless``; other values than text stay as they are."""
    is_quoted = isinstance(cell, str) and cell[:1] == "'" and cell[1:2] in _SIGNS
    return cell[1:] if is_quoted and isinstance(cell, str) else cell


def plain_row(row: dict[str, object]) -> dict[str, object]:
    """Undo ``harmless`` in each cell of a row: what was exported can be imported."""
    return {name: plain(cell) for name, cell in row.items()}
