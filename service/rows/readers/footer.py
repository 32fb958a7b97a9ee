"""The footer of a report: lines below its rows, such as who printed it when."""

from collections.abc import Sequence
from typing import Any

from service.rows.text_fields import is_blank

Record = tuple[int, Sequence[Any]]
"""A record with the line that it begins at."""


class Footer:
    """Collects the lines that may be a footer: after a blank line, those of which only the first cell is filled.

    They are a footer if no row follows them; ``lines`` then holds them. In a sheet, a row may leave all but its first
    cell blank, too: there a footer is at least two lines of several words.

    width:     how many columns there are.
    is_padded: whether records are filled up with empty cells, as those of a sheet are.
    """

    def __init__(self, width: int, *, is_padded: bool = False) -> None:
        self.lines: list[Record] = []
        self._width = width
        self._is_padded = is_padded
        self._is_after_blank = False

    def takes(self, line: int, record: Sequence[Any]) -> bool:
        """Whether a record is blank, or may belong to a footer."""
        if all(map(is_blank, record)):
            self._is_after_blank = True
            return True
        if self._is_after_blank and not is_blank(record[0]) and self._is_short(record):
            self.lines.append((line, record))
            return True
        return False

    def _is_short(self, record: Sequence[Any]) -> bool:
        """Whether a record is one cell where rows have several. A sheet's records all have the same width."""
        if len(record) == 1:
            return self._width > 1
        is_text = isinstance(record[0], str) and len(record[0].split()) > 1
        return self._is_padded and is_text and self._width > 2 and all(map(is_blank, record[1:]))

    @property
    def is_certain(self) -> bool:
        """Whether the last lines of a file are a footer."""
        return len(self.lines) > self._is_padded

    def give_back(self) -> list[Record]:
        """Return what looked like a footer, since a row follows it."""
        lines, self.lines, self._is_after_blank = self.lines, [], False
        return lines
