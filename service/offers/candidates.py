"""Products that might be offered, best first: upgrades, then the basket's, the account's, then the popular ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from models.artifact import NO_ROW
from service.offers.facts import Facts
from service.offers.neighbours import NeighbourScores
from service.offers.reasons import Source
from service.readmodel.product_index import ProductRow
from service.readmodel.relationships import RankedTarget

STEPS = (16, 64, 512)
"""The first few are nearly always enough, and the list of popular products is long."""


RankedTargets = Callable[[ProductRow], Iterable[RankedTarget]]
"""Where one product leads."""


class CandidateSource(Protocol):
    """Where candidates come from."""

    name: Source

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        """Products with their score and their place here, best first."""

    def contributors(self, product: ProductRow, place: int) -> list[ProductRow]:
        """Return up to two owned or basket products that contributed most to a score, greatest first."""


Candidate = tuple[ProductRow, float, CandidateSource, int]
"""A product that might be offered, its score, where it comes from, and the place where its source finds it again. A
plain tuple, which is made in a fifth of the time of a named one."""


def generate(facts: Facts) -> Iterator[Candidate]:
    """Every candidate, best first, each product once. Lazy: a source is asked only when those before it run dry."""
    seen: set[ProductRow] = set()
    for source in sources(facts):
        for product, score, place in source.best():
            if product not in seen:
                seen.add(product)
                yield product, score, source, place


def sources(facts: Facts) -> Iterator[CandidateSource]:
    """What speaks for this request, the strongest first."""
    if facts.is_up_sell_first:
        yield from upgrades(facts)
    if facts.shelf.links.promoted:
        yield from companions(facts, facts.shelf.links.promoted_of)
    if facts.basket:
        yield Neighbours(facts, Source.BASKET)
    if len(facts.recent):
        yield Neighbours(facts, Source.PERSONALIZED)
    elif facts.account_row is not None and len(facts.owned):
        yield History(facts, facts.account_row)
    if not facts.is_up_sell_first:
        yield from upgrades(facts)
    yield from companions(facts, facts.shelf.links.companions_of)
    yield Popularity(facts)


def upgrades(facts: Facts) -> Iterator[CandidateSource]:
    """Upgrades of the basket, then those of what is owned."""
    links = facts.shelf.links
    is_upgradable = links.upgradable.data
    in_basket = [row for row in facts.basket if is_upgradable[row]]
    if in_basket:
        yield Leading(facts, Source.BASKET, in_basket, links.upgrades_of)
    if len(facts.owned):
        owned = facts.owned[links.upgradable.take(facts.owned)]
        if len(owned):
            yield Leading(facts, Source.PERSONALIZED, owned.tolist(), links.upgrades_of)


def companions(facts: Facts, leads: RankedTargets) -> Iterator[CandidateSource]:
    """What goes with the basket, then what goes with what is owned."""
    if facts.basket:
        yield Leading(facts, Source.BASKET, facts.basket, leads)
    if len(facts.owned):
        yield Leading(facts, Source.PERSONALIZED, facts.owned.tolist(), leads)


class Leading:
    """What some products lead to by relationships: what people say first, then the strongest."""

    def __init__(self, facts: Facts, name: Source, rows: Sequence[ProductRow], leads: RankedTargets) -> None:
        self.name = name
        self._rows = rows
        self._leads = leads

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        found = sorted(chain.from_iterable(map(self._leads, self._rows)))
        return ((ProductRow(target), -strength, source) for _, strength, target, source in found)

    def contributors(self, _product: ProductRow, place: int) -> list[ProductRow]:
        return [ProductRow(place)]


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
