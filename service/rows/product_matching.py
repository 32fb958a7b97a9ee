"""Resolve product identifiers that are not stored to the product that is probably meant."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import chain
from typing import Final

from service.rows.options import UnknownProducts

_MAX_TO_COMPARE: Final = 5000


class UnknownProductRejected(ValueError):
    """An order line names an unknown product, and those are not wanted."""


def squeeze(text: str) -> str:
    """A name without case, spaces and punctuation, in which spellings differ."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


class ProductMatcher:
    """Resolves product identifiers.

    Only described products are matched, never stubs: the result for one line must not depend on the lines before it.
    """

    def __init__(self, known: set[str], described: Callable[[], Iterable[str]], mode: UnknownProducts) -> None:
        self.known = known
        self._read_described = described
        self._mode = mode
        self._by_squeezed: dict[str, list[str]] | None = None

    def resolve(self, product_id: str) -> str:
        """The product that is meant: a known one, or the identifier itself where it is to be added.

        Raises UnknownProductRejected where unknown products are.
        """
        if product_id in self.known or self._mode == "add":
            return product_id
        alike = self._alike(product_id)
        if self._mode == "match":
            return alike[0] if len(alike) == 1 else product_id
        raise UnknownProductRejected(f"is an unknown product: {product_id!r}{self._hint(product_id, alike)}")

    def _alike(self, product_id: str) -> list[str]:
        if self._by_squeezed is None:
            by_squeezed = defaultdict(list)
            for described in self._read_described():
                by_squeezed[squeeze(described)].append(described)
            by_squeezed.pop("", None)
            self._by_squeezed = dict(by_squeezed)
        return self._by_squeezed.get(squeeze(product_id), []) if self._by_squeezed else []

    def _hint(self, product_id: str, alike: list[str]) -> str:
        described = list(chain.from_iterable((self._by_squeezed or {}).values()))
        close = alike or (get_close_matches(product_id, described, 1) if len(described) <= _MAX_TO_COMPARE else [])
        return f"; did you mean {close[0]!r}?" if close else ""
