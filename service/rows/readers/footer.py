"""The footer of a report: lines below its rows, such as their total or who printed it when."""

import re
from collections.abc import Sequence
from typing import Any, Final

from service.rows.text_fields import is_blank

Record = tuple[int, Sequence[Any]]
"""A record with the line that it begins at."""
_TOTAL_WORD: Final = (
    r"(?:(?:grand|sub)?[ -]?totals?(?: general| général)?|totale|summe|(?:zwischen|gesamt)summe|gesamt|insgesamt)"
)
_TOTAL: Final = re.compile(rf"{_TOTAL_WORD}(?: *\(.*\))? *:?", re.IGNORECASE)
_SUM: Final = re.compile(r"[A-Z]{3}|(?:[A-Z]{3} *)?[^A-Za-z]*\d[^A-Za-z]*(?: *[A-Z]{3})?")
_TOTAL_LINE: Final = re.compile(rf"^\W*{_TOTAL_WORD}\b", re.IGNORECASE | re.MULTILINE)


def _is_sum(cell: object) -> bool:
    """Whether a cell may be a sum, or its currency."""
    return not isinstance(cell, str) or bool(_SUM.fullmatch(cell.strip()))


def may_hold_total(text: str) -> bool:
    """Whether a line of a text may be that of a total."""
    return bool(_TOTAL_LINE.search(text))


class Footer:
    """Collects the lines that may be a footer: totals, and after a blank line or a total those of one cell.

    They are a footer if no row follows them; ``lines`` then holds them. A total is a line whose first filled cell says
    so, and whose others are sums, currencies or blank, at least one of them blank. In a sheet, a row may leave all but
    its first cell blank, too: there a footer without a total is at least two lines of several words.

    width:     how many columns there are.
    is_padded: whether records are filled up with empty cells, as those of a sheet are.
    """

    def __init__(self, width: int, *, is_padded: bool = False) -> None:
        self.lines: list[Record] = []
        self._width = width
        self._is_padded = is_padded
        self._is_after_blank = False
        self._has_total = False

    def takes(self, line: int, record: Sequence[Any]) -> bool:
        """Whether a record is blank, or may belong to a footer."""
        if all(map(is_blank, record)):
            self._is_after_blank = True
            return True
        if self._is_total(record):
            self._is_after_blank = self._has_total = True
            self.lines.append((line, record))
            return True
        if self._is_after_blank and not is_blank(record[0]) and self._is_short(record):
            self.lines.append((line, record))
            return True
        return False

    def _is_total(self, record: Sequence[Any]) -> bool:
        filled = [cell for cell in record if not is_blank(cell)]
        if len(record) != self._width or len(filled) == self._width or not isinstance(filled[0], str):
            return False
        return bool(_TOTAL.fullmatch(filled[0].strip())) and all(map(_is_sum, filled[1:]))

    def _is_short(self, record: Sequence[Any]) -> bool:
        """Whether a record is one cell where rows have several. A sheet's records all have the same width."""
        if len(record) == 1:
            return self._width > 1
        is_text = isinstance(record[0], str) and len(record[0].split()) > 1
        return self._is_padded and is_text and self._width > 2 and all(map(is_blank, record[1:]))

    @property
    def is_certain(self) -> bool:
        """Whether the last lines of a file are a footer."""
        return self._has_total or len(self.lines) > self._is_padded

    def give_back(self) -> list[Record]:
        """Return what looked like a footer, since a row follows it."""
        lines, self.lines, self._is_after_blank, self._has_total = self.lines, [], False, False
        return lines
