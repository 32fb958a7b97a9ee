"""Products that might be offered, best first: the basket's, then the account's, then the popular ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.facts import Facts, ProductRow
from service.offers.reasons import Source

POPULAR_STEP = 64


@dataclass(frozen=True, slots=True)
class Candidate:
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
        products = facts.content.candidate_products[facts.account_row]
        scores = facts.content.candidate_scores[facts.account_row]
        yield from _candidates(products, scores, Source.PERSONALIZED)


def _from_popularity(facts: Facts) -> Iterator[Candidate]:
    products, scores = facts.content.popular_products, facts.content.popular_scores
    for begin in range(0, len(products), POPULAR_STEP):
        step = slice(begin, begin + POPULAR_STEP)
        yield from _candidates(products[step], scores[step], Source.POPULAR, begin)


def _candidates(
    products: NDArray[np.int32], scores: NDArray[np.floating], source: Source, begin: int = 0
) -> Iterator[Candidate]:
    for place, (product, score) in enumerate(zip(products.tolist(), scores.tolist(), strict=True), begin):
        if product != NO_ROW:
            yield Candidate(product, score, source, place)


def score_basket(facts: Facts) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Score every product that goes with a basket: the sum of its scores as a neighbour of each basket product.

    Returns product rows (int32) and scores (float64), best first, ties by row. Sums are made in float64 and in
    the order of rows, so that they don't depend on the order of the basket.
    """
    basket = list(facts.basket)
    neighbours = facts.content.neighbour_products[basket].ravel()
    weights = facts.content.neighbour_scores[basket].ravel()
    products, places = np.unique(neighbours, return_inverse=True)
    scores = np.bincount(places, weights=weights, minlength=len(products))
    order = np.argsort(-scores, kind="stable")
    return products[order], scores[order]
