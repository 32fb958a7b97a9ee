"""Products that might be offered: a pool of bounded size, from every source, as parallel arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from models.artifact.relationships import ACCESSORY, CROSS_SELL, UP_SELL
from service.offers.facts import AccountProducts, Facts
from service.offers.neighbours import NeighbourScores, run_starts, sort_with_places
from service.offers.reasons import Source
from service.readmodel.edges import concatenated_ranges
from service.readmodel.product_index import ProductRow

MAX_PER_SOURCE: Final = 256
"""Candidates of one account from one source, the strongest; the model's list is as long as training made it."""
MAX_COMPANIONS: Final = 64
MIN_COMPANIONS_PER_PRODUCT, MAX_COMPANIONS_PER_PRODUCT = 4, 20
"""How many relationships of each kind are followed from one product: the fewer products, the more of each."""
POPULAR_DEPTH: Final = 32
"""Popular products in a pool. One that runs dry is made again, deeper: see ``decide``."""
_NO_POSITIONS: Final = np.empty(0, dtype=np.int64)


class Block(NamedTuple):
    """Candidates of one source, arrays of one length: those of each account together and best first.

    account: int64, places among the accounts. product: int32, product rows. score: float, comparable in this source.
    origin:  int, by which the source finds a candidate again.
    """

    account: NDArray[np.int64]
    product: NDArray[np.int32]
    score: NDArray[Any]
    origin: NDArray[Any]


class CandidateSource(Protocol):
    """Where candidates come from."""

    name: Source

    def block(self) -> Block:
        """Return the candidates of every account."""

    def contributors(self, origin: int) -> list[ProductRow]:
        """Return up to two owned or basket products that contributed most to a candidate's score, greatest first."""


@dataclass(frozen=True)
class CandidatePool:
    """Candidates of n accounts from all sources, arrays of one length m, in the order of the sources.

    account: int64, the place of the account among those that are decided for. product: int32, a product row.
    source:  int8, a position in ``sources``. score: float64. origin: int64. See ``Block``.
    keys:    int, one number for each pair of account and product: see ``Facts.keys``.
    """

    sources: tuple[CandidateSource, ...]
    account: NDArray[np.int64]
    product: NDArray[np.int32]
    source: NDArray[np.int8]
    score: NDArray[np.float64]
    origin: NDArray[np.int64]
    keys: NDArray[Any]
    n_keys: int

    @cached_property
    def is_repeated(self) -> NDArray[np.bool_]:
        """Bool (m,): whether an earlier source has the same product for the same account."""
        ordered, places = sort_with_places(self.keys, self.n_keys)
        is_repeated = np.ones(len(places), dtype=np.bool_)
        is_repeated[places[run_starts(ordered)]] = False
        return is_repeated


def collect_candidates(facts: Facts, popular_depth: int = POPULAR_DEPTH) -> CandidatePool:
    """Ask every source, the ones that speak most for a product first."""
    sources = tuple(_sources(facts, popular_depth))
    blocks = [source.block() for source in sources]
    account = np.concatenate([block.account for block in blocks])
    product = np.concatenate([block.product for block in blocks])
    return CandidatePool(
        sources=sources,
        account=account,
        product=product,
        source=np.arange(len(blocks), dtype=np.int8).repeat([len(block.product) for block in blocks]),
        score=np.concatenate([block.score for block in blocks], dtype=np.float64),
        origin=np.concatenate([block.origin for block in blocks], dtype=np.int64),
        keys=facts.keys(account, product),
        n_keys=facts.n_accounts * facts.n_products,
    )


def _sources(facts: Facts, popular_depth: int) -> Iterator[CandidateSource]:
    """Yield the sources in their order of precedence."""
    relationships = facts.relationships
    basket = AccountProducts.of([facts.basket] * facts.n_accounts, facts.n_products) if len(facts.basket) else None
    seeds = [(Source.PERSONALIZED, facts.owned)] if len(facts.owned) else []
    if basket is not None:
        seeds.insert(0, (Source.BASKET, basket))
    upgrades = [Upgrades(name, facts, products) for name, products in seeds]
    if facts.is_up_sell_first:
        yield from upgrades
    if len(relationships.promoted):
        yield from (Promoted(name, facts, products) for name, products in seeds)
    if basket is not None:
        yield Neighbours(Source.BASKET, facts, basket)
    if len(facts.recent):
        yield Neighbours(Source.PERSONALIZED, facts, facts.recent)
    yield ModelList(facts)
    if not facts.is_up_sell_first:
        yield from upgrades
    yield from (Companions(name, facts, products) for name, products in seeds)
    yield Popular(facts, popular_depth)


class _Led:
    """Candidates that relationships lead to. A subclass says which relationships of the seeds are followed."""

    max_candidates = MAX_PER_SOURCE

    def __init__(self, name: Source, facts: Facts, seeds: AccountProducts) -> None:
        self.name = name
        self.facts = facts
        self.seeds = seeds

    def _follow(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the place of a seed and the position of one of its relationships, for each that is followed."""
        raise NotImplementedError

    def block(self) -> Block:
        places, positions = self._follow()
        index = self.facts.relationships
        account, target = self.seeds.account[places], index.target[positions]
        # Curated relationships go before learned ones, whose strength is at most 1.
        strength = index.strength[positions]
        rank = strength + 2 * index.is_curated[positions] if self.facts.relationships.curated else strength
        chosen = best_first(account, target, rank, self.facts.n_accounts, self.max_candidates)
        return Block(account[chosen], target[chosen], strength[chosen], self.seeds.product[places[chosen]])

    def contributors(self, origin: int) -> list[ProductRow]:
        return [ProductRow(origin)]


class Upgrades(_Led):
    """Upgrades of what is owned or in the basket."""

    def _follow(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        index = self.facts.relationships
        upgradable = index.is_upgradable[self.seeds.product].nonzero()[0]
        if not len(upgradable):
            return _NO_POSITIONS, _NO_POSITIONS
        begins, ends = index.runs(UP_SELL)
        products = self.seeds.product[upgradable]
        places, positions = concatenated_ranges(begins[products], ends[products] - begins[products])
        return upgradable[places], positions


class Promoted(_Led):
    """What is curated to go with what is owned or in the basket."""

    def _follow(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.facts.relationships.promoted.expand(self.seeds.product)


class Companions(_Led):
    """What was learned or is curated to go with what is owned or in the basket: the strongest of each product."""

    max_candidates = MAX_COMPANIONS

    def _follow(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        runs = [self._strongest(relation) for relation in (CROSS_SELL, ACCESSORY)]
        return np.concatenate([run[0] for run in runs]), np.concatenate([run[1] for run in runs])

    def _strongest(self, relation: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        begins, ends = self.facts.relationships.runs(relation)
        products = self.seeds.product
        begin = begins[products]
        end = np.minimum(ends[products], begin + self._widths)
        positions = begin[:, None] + np.arange(MAX_COMPANIONS_PER_PRODUCT)
        is_followed = positions < end[:, None]
        return is_followed.nonzero()[0], positions[is_followed]

    @cached_property
    def _widths(self) -> NDArray[np.int64]:
        """How many relationships of a kind are followed from each seed."""
        n_seeds = np.bincount(self.seeds.account)[self.seeds.account]
        return np.clip(MAX_COMPANIONS // n_seeds, MIN_COMPANIONS_PER_PRODUCT, MAX_COMPANIONS_PER_PRODUCT)


class Neighbours:
    """What goes with the basket, or with what accounts new since the artifact bought last."""

    def __init__(self, name: Source, facts: Facts, seeds: AccountProducts) -> None:
        self.name = name
        self._facts = facts
        self._scores = NeighbourScores(facts.content, seeds, facts.n_accounts)

    def block(self) -> Block:
        scores = self._scores
        chosen = best_first(scores.account, scores.product, scores.score, self._facts.n_accounts, MAX_PER_SOURCE)
        return Block(scores.account[chosen], scores.product[chosen], scores.score[chosen], chosen)

    def contributors(self, origin: int) -> list[ProductRow]:
        return self._scores.contributors(origin)


class ModelList:
    """What the model listed at training for accounts that it knows. origin: the slot in the artifact's lists."""

    name = Source.PERSONALIZED

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def block(self) -> Block:
        facts, content = self._facts, self._facts.content
        has_list = (facts.account_rows != NO_ROW) & self._owns_any()
        accounts = has_list.nonzero()[0]
        rows, width = facts.account_rows[accounts], content.candidate_products.shape[1]
        product = content.candidate_products[rows].ravel()
        slots = (rows[:, None] * width + np.arange(width)).ravel()
        account, score = accounts.repeat(width), content.candidate_scores[rows].ravel()
        if len(product) and product.min() == NO_ROW:
            filled = product != NO_ROW
            account, product, score, slots = account[filled], product[filled], score[filled], slots[filled]
        return Block(account, product, score, slots)

    def contributors(self, origin: int) -> list[ProductRow]:
        content = self._facts.content
        row, place = divmod(origin, content.candidate_products.shape[1])
        if place < content.candidate_reasons.shape[1]:
            return [product for product in content.candidate_reasons[row, place].tolist() if product != NO_ROW]
        return self._contributors_of(int(np.flatnonzero(self._facts.account_rows == row)[0]), origin)

    def _contributors_of(self, account: int, origin: int) -> list[ProductRow]:
        """Work out what training did not keep."""
        owned, content = self._facts.owned, self._facts.content
        products = owned.product[owned.account == account]
        scores = NeighbourScores(content, AccountProducts.of([products], self._facts.n_products), 1)
        found = np.flatnonzero(scores.product == content.candidate_products.ravel()[origin])
        return scores.contributors(int(found[0])) if len(found) else []

    def _owns_any(self) -> NDArray[np.bool_]:
        owns_any = np.zeros(self._facts.n_accounts, dtype=np.bool_)
        owns_any[self._facts.owned.account] = True
        return owns_any


class Popular:
    """What most customers buy."""

    name = Source.POPULAR

    def __init__(self, facts: Facts, depth: int) -> None:
        self._facts = facts
        self._depth = depth

    def block(self) -> Block:
        content, n_accounts = self._facts.content, self._facts.n_accounts
        product, score = content.popular_products[: self._depth], content.popular_scores[: self._depth]
        account = np.arange(n_accounts).repeat(len(product))
        if n_accounts > 1:
            product, score = np.tile(product, n_accounts), np.tile(score, n_accounts)
        return Block(account, product, score, account)

    def contributors(self, origin: int) -> list[ProductRow]:
        return []


def best_first(
    account: NDArray[np.int64], product: NDArray[np.int32], score: NDArray[Any], n_accounts: int, limit: int
) -> NDArray[np.int64]:
    """Return the positions of each account's best candidates, at most ``limit``: accounts ascending, best first.

    Candidates of one score are in the order of their product rows; of one product and score, in the order given.
    """
    if n_accounts == 1:
        chosen = np.arange(len(score))
        if len(score) > limit:
            # A selection finds the least score that counts in a fraction of the time of sorting all of them.
            chosen = np.flatnonzero(score >= np.partition(score, len(score) - limit)[len(score) - limit])
        return chosen[np.lexsort((product[chosen], -score[chosen]))][:limit]
    order = np.lexsort((product, -score, account))
    accounts = account[order]
    rank = np.arange(len(order)) - accounts.searchsorted(accounts)
    return order[rank < limit]
