"""Products that might be offered: a pool of bounded size, from every source, as parallel arrays."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import run_starts
from service.offers.account_products import AccountProducts
from service.offers.facts import Facts
from service.offers.filters import RelatedProducts
from service.offers.neighbours import sort_with_places
from service.offers.reasons import Source
from service.offers.sources.blocks import NO_CANDIDATES, Block, CandidateSource
from service.offers.sources.model import ModelList, Named, Neighbours, Popular
from service.offers.sources.relationships import (
    BasketCompanions,
    OwnedCompanions,
    Promoted,
    Related,
    Substitutes,
    Upgrades,
)
from service.offers.sources.repeats import RepeatPurchases


class CandidatePool(NamedTuple):
    """Candidates of n accounts from all sources, arrays of one length m, in the order of the sources.

    sources: those that gave any.
    account: int64, the place of the account among those that are decided for. product: int32, a product row.
    source:  int8, a position in ``sources``. score: float64. origin: int64. See ``Block``.
    keys:    int, one number for each pair of account and product: see ``Facts.keys``.
    is_repeated: bool, whether an earlier source has the same product for the same account.
    """

    sources: list[CandidateSource]
    account: NDArray[np.int64]
    product: NDArray[np.int32]
    source: NDArray[np.int8]
    score: NDArray[np.float64]
    origin: NDArray[np.int64]
    keys: NDArray[Any]
    is_repeated: NDArray[np.bool_]


def collect_candidates(facts: Facts, n_popular: int = 0) -> CandidatePool:
    """Ask every source, the ones that speak most for a product first.

    n_popular: above 0, the fallbacks are asked too, and so many popular products are candidates: see ``rank_offers``.
    """
    sources: list[CandidateSource] = []
    blocks: list[Block] = []
    for source in _sources(facts, n_popular):
        block = source.block()
        if len(block.product):
            sources.append(source)
            blocks.append(block)
    if facts.unavailable is not None:
        _add_substitutes(sources, blocks, facts)
    accounts, products, scores, origins = zip(*blocks or [NO_CANDIDATES], strict=True)
    account, product = np.concatenate(accounts), np.concatenate(products)
    keys = facts.keys(account, product)
    columns = (
        account,
        product,
        np.arange(len(products), dtype=np.int8).repeat([len(block) for block in products]),
        np.concatenate(scores, dtype=np.float64),
        np.concatenate(origins),
        keys,
    )
    if facts.has_among.any():
        is_kept = ~facts.has_among[account]
        if not facts.among.is_empty:
            is_kept |= facts.among.has(keys)
        columns = tuple(column[is_kept] for column in columns)
    return CandidatePool(sources, *columns, _find_repeated(columns[-1], facts.n_accounts * facts.n_products))


def _add_substitutes(sources: list[CandidateSource], blocks: list[Block], facts: Facts) -> None:
    """Add what stands in for candidates that are sold out."""
    account, product = (np.concatenate([block[column] for block in blocks or [NO_CANDIDATES]]) for column in (0, 1))
    assert facts.unavailable is not None  # noqa: S101  The caller asks only then.
    is_sold_out = facts.unavailable.is_sold_out[product]
    if is_sold_out.any():
        source = Substitutes(facts, account[is_sold_out], product[is_sold_out])
        block = source.block()
        if len(block.product):
            sources.append(source)
            blocks.append(block)


def _find_repeated(keys: NDArray[Any], n_keys: int) -> NDArray[np.bool_]:
    ordered, places = sort_with_places(keys, n_keys)
    is_repeated = np.ones(len(places), dtype=np.bool_)
    is_repeated[places[run_starts(ordered)]] = False
    return is_repeated


def _sources(facts: Facts, n_popular: int) -> Iterator[CandidateSource]:  # noqa: C901  One line for each source.
    """Yield the sources in their order of precedence. What an account buys again is that, whatever else names it."""
    if facts.repeats is not None:
        yield RepeatPurchases(facts, facts.repeats)
    index = facts.relationships
    basket, owned, recent = facts.leading(facts.basket), facts.leading(facts.owned), facts.leading(facts.recent)
    seeds = [(Source.BASKET, basket), (Source.PERSONALIZED, owned)]
    seeds = [(name, products) for name, products in seeds if not products.is_empty]
    upgrades = [Upgrades(name, facts, products) for name, products in seeds]
    if facts.options.is_up_sell_first:
        yield from upgrades
    if len(index.promoted):
        yield from (Promoted(name, facts, products) for name, products in seeds)
    if not basket.is_empty:
        yield Neighbours(Source.BASKET, facts, basket)
    if not recent.is_empty:
        yield Neighbours(Source.PERSONALIZED, facts, recent)
    if not facts.owned.is_empty:
        yield ModelList(facts)
    if not facts.options.is_up_sell_first:
        yield from upgrades
    if not basket.is_empty:
        yield BasketCompanions(Source.BASKET, facts, basket)
    if facts.filters is not None:
        yield from _filtered_sources(facts, facts.filters.related, owned, n_popular)
    if n_popular and not owned.is_empty and index.companions[0].shape[1]:
        yield OwnedCompanions(Source.PERSONALIZED, facts, owned)
    if not facts.among.is_empty:
        yield Named(facts)
    if n_popular:
        yield Popular(facts, n_popular)


def _filtered_sources(
    facts: Facts, related: RelatedProducts, owned: AccountProducts, n_popular: int
) -> Iterator[CandidateSource]:
    """Yield what is asked where a request has filters: an account's list is short, and they may leave nothing of it."""
    if not related.pairs.is_empty:
        yield from (Related(name, related, facts.n_accounts) for name in (Source.BASKET, Source.PERSONALIZED))
    if n_popular and not owned.is_empty:
        yield Neighbours(Source.PERSONALIZED, facts, owned)
