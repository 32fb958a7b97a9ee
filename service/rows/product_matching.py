"""Resolve product identifiers that are not stored to the product that is probably meant."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import chain
from typing import Final

from service.rows.options import MatchProducts, UnknownProducts

_MAX_TO_COMPARE: Final = 5000


class UnknownProductRejected(ValueError):
    """An order line names an unknown product, and those are not wanted."""


def without_case_and_spaces(text: str) -> str:
    """A product's identifier without case and spaces. Punctuation tells products apart: PRO and PRO+, C and C#."""
    return "".join(text.casefold().split())


class ProductMatcher:
    """Resolves product identifiers. An identifier means itself, unless ``match`` asks for names to be matched.

    Only described products are matched, never stubs: the result for one line must not depend on the lines before it.
    """

    def __init__(
        self,
        known: set[str],
        described: Callable[[], Iterable[str]],
        unknown: UnknownProducts = "add",
        match: MatchProducts = "exactly",
    ) -> None:
        self.known = known
        self._read_described = described
        self._unknown = unknown
        self._match = match
        self._by_name: dict[str, list[str]] | None = None

    def resolve(self, product_id: str) -> str:
        """The product that is meant: a known one, or the identifier itself where it is to be added.

        Raises UnknownProductRejected where unknown products are.
        """
        if product_id in self.known:
            return product_id
        alike = self._alike(product_id) if self._match == "names" or self._unknown == "reject" else []
        if self._match == "names" and len(alike) == 1:
            return alike[0]
        if self._unknown == "add":
            return product_id
        raise UnknownProductRejected(f"is an unknown product: {product_id!r}{self._hint(product_id, alike)}")

    def _alike(self, product_id: str) -> list[str]:
        if self._by_name is None:
            by_name = defaultdict(list)
            for described in self._read_described():
                by_name[without_case_and_spaces(described)].append(described)
            self._by_name = dict(by_name)
        return self._by_name.get(without_case_and_spaces(product_id), [])

    def _hint(self, product_id: str, alike: list[str]) -> str:
        described = list(chain.from_iterable((self._by_name or {}).values()))
        close = alike or (get_close_matches(product_id, described, 1) if len(described) <= _MAX_TO_COMPARE else [])
        return f"; did you mean {close[0]!r}?" if close else ""
