"""Products that might be offered, best first: the basket's, then the account's, then the popular ones."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.facts import Facts
from service.offers.reasons import Source
from service.offers.shelf import ProductRow

STEP = 64


class Candidate(NamedTuple):
    """A product that might be offered. place: its position in its source's own list."""

    product: ProductRow
    score: float
    source: Source
    place: int


def generate(facts: Facts) -> Iterator[Candidate]:
    """Every candidate, best first, each product once. Lazy: a source is asked only when those before it run dry."""
    seen: set[ProductRow] = set()
    for source in (_from_basket, _from_history, _from_popularity):
        for candidate in source(facts):
            if candidate.product not in seen:
                seen.add(candidate.product)
                yield candidate


def _from_basket(facts: Facts) -> Iterator[Candidate]:
    if facts.basket:
        products, scores = score_basket(facts)
        yield from _candidates(products, scores, Source.BASKET)


def _from_history(facts: Facts) -> Iterator[Candidate]:
    if facts.account_row is not None and len(facts.owned):
        products = facts.shelf.content.candidate_products[facts.account_row]
        scores = facts.shelf.content.candidate_scores[facts.account_row]
        yield from _candidates(products, scores, Source.PERSONALIZED)


def _from_popularity(facts: Facts) -> Iterator[Candidate]:
    products, scores = facts.shelf.content.popular_products, facts.shelf.content.popular_scores
    yield from _candidates(products, scores, Source.POPULAR)


def _candidates(products: NDArray[np.int32], scores: NDArray[np.floating], source: Source) -> Iterator[Candidate]:
    # In steps, because the first few are nearly always enough and the list of popular products is long.
    for begin in range(0, len(products), STEP):
        end = begin + STEP
        listed = zip(products[begin:end].tolist(), scores[begin:end].tolist(), strict=True)
        for place, (product, score) in enumerate(listed, begin):
            if product != NO_ROW:
                yield Candidate(product, score, source, place)


def score_basket(facts: Facts) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Score every product that goes with a basket: the sum of its scores as a neighbour of each basket product.

    Returns product rows (int32) and scores (float64), best first, ties by row. Sums are made in float64 and in
    the order of rows, so that they don't depend on the order of the basket.
    """
    basket = list(facts.basket)
    neighbours = facts.shelf.content.neighbour_products[basket].ravel()
    weights = facts.shelf.content.neighbour_scores[basket].ravel()
    # What np.unique and np.bincount would do together, at a third of their cost for so few numbers.
    order = neighbours.argsort(kind="stable")
    neighbours = neighbours[order]
    begins = np.flatnonzero(neighbours[1:] != neighbours[:-1]) + 1
    begins = np.concatenate(([0], begins)) if len(neighbours) else begins
    products = neighbours[begins]
    scores = np.add.reduceat(weights[order], begins, dtype=np.float64) if len(begins) else np.empty(0)
    best = (-scores).argsort(kind="stable")
    return products[best], scores[best]
