"""Products that might be offered, best first: the basket's, then the account's, then the popular ones."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from models.artifact import NO_ROW
from service.offers.facts import Facts
from service.offers.neighbours import NeighbourScores
from service.offers.reasons import Source
from service.offers.shelf import ProductRow

STEPS = (16, 64, 512)
"""The first few are nearly always enough, and the list of popular products is long."""


class CandidateSource(Protocol):
    """Where candidates come from."""

    name: Source

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        """Products with their score and their place here, best first."""

    def contributors(self, product: ProductRow, place: int) -> list[ProductRow]:
        """Return up to two owned or basket products that contributed most to a score, greatest first."""


class Candidate(NamedTuple):
    """A product that might be offered. place: where its source finds it again."""

    product: ProductRow
    score: float
    source: CandidateSource
    place: int


def generate(facts: Facts) -> Iterator[Candidate]:
    """Every candidate, best first, each product once. Lazy: a source is asked only when those before it run dry."""
    seen: set[ProductRow] = set()
    for source in sources(facts):
        for product, score, place in source.best():
            if product not in seen:
                seen.add(product)
                yield Candidate(product, score, source, place)


def sources(facts: Facts) -> Iterator[CandidateSource]:
    """What speaks for this request, the strongest first."""
    if facts.basket:
        yield Neighbours(facts, Source.BASKET)
    if len(facts.recent):
        yield Neighbours(facts, Source.PERSONALIZED)
    elif facts.account_row is not None and len(facts.owned):
        yield History(facts, facts.account_row)
    yield Popularity(facts)


class Neighbours:
    """What goes with the basket, or with what an account new since the artifact bought last."""

    def __init__(self, facts: Facts, name: Source) -> None:
        self.name = name
        rows = facts.basket if name is Source.BASKET else sorted(facts.recent.tolist())
        self._scores = NeighbourScores(facts.shelf.content, rows)

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        return self._scores.best()

    def contributors(self, _product: ProductRow, place: int) -> list[ProductRow]:
        return self._scores.contributors(place)


class History:
    """What training listed for the account."""

    name = Source.PERSONALIZED

    def __init__(self, facts: Facts, account_row: int) -> None:
        self._facts = facts
        self._row = account_row

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        content = self._facts.shelf.content
        products, scores = content.candidate_products[self._row], content.candidate_scores[self._row]
        for begin, end in in_steps(len(products)):
            listed = zip(products[begin:end].tolist(), scores[begin:end].tolist(), range(begin, end), strict=True)
            yield from (one for one in listed if one[0] != NO_ROW)

    def contributors(self, product: ProductRow, place: int) -> list[ProductRow]:
        content = self._facts.shelf.content
        if place < content.candidate_reasons.shape[1]:
            return [row for row in content.candidate_reasons[self._row, place].tolist() if row != NO_ROW]
        neighbours = NeighbourScores(content, self._facts.owned.tolist())
        found = int(neighbours.products.searchsorted(product))
        is_there = found < len(neighbours.products) and neighbours.products[found] == product
        return neighbours.contributors(found) if is_there else []


class Popularity:
    """What most customers buy."""

    name = Source.POPULAR

    def __init__(self, facts: Facts) -> None:
        self._content = facts.shelf.content

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        products, scores = self._content.popular_products, self._content.popular_scores
        for begin, end in in_steps(len(products)):
            yield from zip(products[begin:end].tolist(), scores[begin:end].tolist(), range(begin, end), strict=True)

    def contributors(self, _product: ProductRow, _place: int) -> list[ProductRow]:
        return []


def in_steps(length: int) -> Iterator[tuple[int, int]]:
    """Cut a list into pieces, the first ones small."""
    begin = 0
    for step in STEPS:
        if begin < length:
            yield begin, min(begin + step, length)
        begin += step
    for start in range(begin, length, STEPS[-1]):
        yield start, min(start + STEPS[-1], length)
