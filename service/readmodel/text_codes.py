"""One text of each product, such as its line, as a code: so that many products are compared at once."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

NO_TEXT = 0


class TextCodes:
    """Codes of texts by product row, int32 (P,), NO_TEXT where there is none. Immutable; a change makes another one.

    The numbering is shared by all versions; it only ever grows.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._numbers = {"": NO_TEXT}
        self.codes: NDArray[np.int32] = np.array([self._number(text) for text in texts], dtype=np.int32)

    @property
    def texts(self) -> list[str]:
        """The texts by their codes. There may be some that no product has any more."""
        return list(self._numbers)

    def with_texts(self, texts: Mapping[int, str]) -> "TextCodes":
        """Return codes in which some products have other texts."""
        changed = object.__new__(TextCodes)
        changed._numbers, changed.codes = self._numbers, self.codes.copy()
        for row, text in texts.items():
            changed.codes[row] = self._number(text)
        return changed

    def has(self, text: str) -> NDArray[np.bool_]:
        """Return bool (P,): which products have a text, which is not empty."""
        return np.asarray(self.codes == self._numbers.get(text, -1)) if text else np.zeros(len(self.codes), np.bool_)

    def mapped(self, numbers: Mapping[str, float]) -> NDArray[np.float64]:
        """Return float64 (P,): the number of each product's text; NaN where it has none."""
        by_code = np.array([numbers.get(text, np.nan) for text in self._numbers], dtype=np.float64)
        return by_code[self.codes]

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))
