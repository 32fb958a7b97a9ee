"""Products that might be offered: a pool of bounded size, from every source, as parallel arrays."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, run_starts
from models.artifact import NO_ROW
from models.artifact.relationships import ACCESSORY, CROSS_SELL, UP_SELL
from service.offers.facts import AccountProducts, Facts
from service.offers.neighbours import NeighbourScores, sort_with_places
from service.offers.reasons import Source
from service.readmodel.product_index import ProductRow

MAX_PER_SOURCE: Final = 256
"""Candidates of one account from one source, the strongest; the model's list is as long as training made it."""
MAX_COMPANION_SEEDS: Final = 16
"""Owned products whose companions are candidates: those with the strongest companion."""
POPULAR_DEPTH: Final = 32
"""Popular products in a pool. One that runs dry is made again, deeper: see ``decide``."""


class Block(NamedTuple):
    """Candidates of one source, arrays of one length: those of each account together and best first.

    account: int64, places among the accounts. product: int32, product rows. score: float, comparable in this source.
    origin:  int, by which the source finds a candidate again.
    """

    account: NDArray[np.int64]
    product: NDArray[np.int32]
    score: NDArray[Any]
    origin: NDArray[Any]


NO_CANDIDATES: Final = Block(
    np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0), np.empty(0, dtype=np.int64)
)


class CandidateSource(Protocol):
    """Where candidates come from."""

    name: Source

    def block(self) -> Block:
        """Return the candidates of every account."""

    def contributors(self, origin: int) -> list[ProductRow]:
        """Return up to two owned or basket products that contributed most to a candidate's score, greatest first."""


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


def collect_candidates(facts: Facts, popular_depth: int = POPULAR_DEPTH) -> CandidatePool:
    """Ask every source, the ones that speak most for a product first."""
    sources: list[CandidateSource] = []
    blocks: list[Block] = []
    for source in _sources(facts, popular_depth):
        block = source.block()
        if len(block.product):
            sources.append(source)
            blocks.append(block)
    accounts, products, scores, origins = zip(*blocks or [NO_CANDIDATES], strict=True)
    account, product = np.concatenate(accounts), np.concatenate(products)
    keys = facts.keys(account, product)
    return CandidatePool(
        sources,
        account,
        product,
        np.arange(len(products), dtype=np.int8).repeat([len(block) for block in products]),
        np.concatenate(scores, dtype=np.float64),
        np.concatenate(origins),
        keys,
        _find_repeated(keys, facts.n_accounts * facts.n_products),
    )


def _find_repeated(keys: NDArray[Any], n_keys: int) -> NDArray[np.bool_]:
    ordered, places = sort_with_places(keys, n_keys)
    is_repeated = np.ones(len(places), dtype=np.bool_)
    is_repeated[places[run_starts(ordered)]] = False
    return is_repeated


def _sources(facts: Facts, popular_depth: int) -> Iterator[CandidateSource]:
    """Yield the sources in their order of precedence."""
    index = facts.relationships
    seeds = [(Source.BASKET, facts.basket), (Source.PERSONALIZED, facts.owned)]
    seeds = [(name, products) for name, products in seeds if not products.is_empty]
    upgrades = [Upgrades(name, facts, products) for name, products in seeds]
    if facts.is_up_sell_first:
        yield from upgrades
    if len(index.promoted):
        yield from (Promoted(name, facts, products) for name, products in seeds)
    if not facts.basket.is_empty:
        yield Neighbours(Source.BASKET, facts, facts.basket)
    if not facts.recent.is_empty:
        yield Neighbours(Source.PERSONALIZED, facts, facts.recent)
    if not facts.owned.is_empty:
        yield OwnedAndModelList(facts) if facts.includes_owned else ModelList(facts)
    if not facts.is_up_sell_first:
        yield from upgrades
    if not facts.basket.is_empty:
        yield BasketCompanions(Source.BASKET, facts, facts.basket)
    if not facts.owned.is_empty and index.companions[0].shape[1]:
        yield OwnedCompanions(Source.PERSONALIZED, facts, facts.owned)
    yield Popular(facts, popular_depth)


class _Led:
    """Candidates that relationships lead to from some seeds: what is owned, or in the basket. origin: the seed."""

    def __init__(self, name: Source, facts: Facts, seeds: AccountProducts) -> None:
        self.name = name
        self.facts = facts
        self.seeds = seeds

    def contributors(self, origin: int) -> list[ProductRow]:
        return [ProductRow(origin)]

    def follow(self, places: NDArray[np.int64], positions: NDArray[np.int64]) -> Block:
        """Follow relationships. places: int64 (k,), of seeds; positions: int64 (k,), of a relationship of each."""
        index, account = self.facts.relationships, self.seeds.account[places]
        target, strength = index.target[positions], index.strength[positions]
        # Curated relationships go before learned ones, whose strength is at most 1.
        rank = strength + 2 * index.is_curated[positions] if index.curated else strength
        chosen = best_first(account, target, rank, self.facts.n_accounts, MAX_PER_SOURCE)
        return Block(account[chosen], target[chosen], strength[chosen], self.seeds.product[places[chosen]])


class Upgrades(_Led):
    """Upgrades of what is owned or in the basket."""

    def block(self) -> Block:
        index = self.facts.relationships
        upgradable = index.is_upgradable[self.seeds.product].nonzero()[0]
        if not len(upgradable):
            return NO_CANDIDATES
        begins, ends = index.runs(UP_SELL)
        products = self.seeds.product[upgradable]
        places, positions = concatenate_ranges(begins[products], ends[products] - begins[products])
        return self.follow(upgradable[places], positions)


class Promoted(_Led):
    """What is curated to go with what is owned or in the basket."""

    def block(self) -> Block:
        return self.follow(*self.facts.relationships.promoted.expand(self.seeds.product))


class BasketCompanions(_Led):
    """What goes with what is in the basket."""

    def block(self) -> Block:
        index, products = self.facts.relationships, self.seeds.product
        begins, ends = index.runs(CROSS_SELL)[0][products], index.runs(ACCESSORY)[1][products]
        return self.follow(*concatenate_ranges(begins, ends - begins))


class OwnedCompanions(_Led):
    """What goes best with those owned products that something goes with best: an account may own thousands."""

    def block(self) -> Block:
        index, n_accounts = self.facts.relationships, self.facts.n_accounts
        strongest = index.strongest[self.seeds.product]
        chosen = best_first(self.seeds.account, self.seeds.product, strongest, n_accounts, MAX_COMPANION_SEEDS)
        account, seed = self.seeds.account[chosen], self.seeds.product[chosen]
        targets, strengths = index.companions
        target, strength = targets[seed].ravel(), strengths[seed].ravel()
        there = (target != NO_ROW).nonzero()[0]
        account, target, strength = account.repeat(targets.shape[1])[there], target[there], strength[there]
        best = best_first(account, target, strength, n_accounts, MAX_PER_SOURCE)
        return Block(account[best], target[best], strength[best], seed[there[best] // targets.shape[1]])


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
        has_list = facts.account_rows != NO_ROW
        if facts.n_accounts > 1:
            has_list &= np.bincount(facts.owned.account, minlength=facts.n_accounts) > 0
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
        scores = NeighbourScores(content, AccountProducts.from_rows([products], self._facts.n_products), 1)
        positions = np.flatnonzero(scores.product == content.candidate_products.ravel()[origin])
        return scores.contributors(int(positions[0])) if len(positions) else []


class OwnedAndModelList(ModelList):
    """The model's list with what the account owned at training, and still owns, ranked among it."""

    def block(self) -> Block:
        facts, content, listed = self._facts, self._facts.content, super().block()
        accounts = (facts.account_rows != NO_ROW).nonzero()[0]
        rows = facts.account_rows[accounts]
        begins = content.owned_offsets[rows]
        places, positions = concatenate_ranges(begins, content.owned_offsets[rows + 1] - begins)
        account, product = accounts[places], content.owned_products[positions]
        still = facts.owned.has(facts.keys(account, product))
        account, product, positions = account[still], product[still], positions[still]
        merged = Block(
            np.concatenate((listed.account, account)),
            np.concatenate((listed.product, product)),
            np.concatenate((listed.score, content.owned_scores[positions])),
            np.concatenate((listed.origin, np.full(len(product), NO_ROW))),
        )
        order = np.lexsort((merged.product, -merged.score, merged.account))
        return Block(merged.account[order], merged.product[order], merged.score[order], merged.origin[order])

    def contributors(self, origin: int) -> list[ProductRow]:
        return [] if origin == NO_ROW else super().contributors(origin)


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
    """Return the positions of each account's best candidates, at most ``limit`` each: accounts ascending, best first.

    account: int64 (m,), ascending, below n_accounts. product: int32 (m,). score: float (m,).
    Candidates of one score are in the order of their product rows; of one product and score, in the order given.
    """
    if n_accounts == 1:
        return _best(product, score, limit)
    bounds = account.searchsorted(np.arange(n_accounts + 1)).tolist()
    runs = [_best(product[b:e], score[b:e], limit) + b for b, e in pairwise(bounds) if e > b]
    return np.concatenate(runs) if runs else np.empty(0, dtype=np.int64)


def _best(product: NDArray[np.int32], score: NDArray[Any], limit: int) -> NDArray[np.int64]:
    if len(score) <= limit:
        return np.lexsort((product, -score))
    # A selection finds the least score that counts in a fraction of the time of sorting all of them.
    chosen = (score >= np.partition(score, len(score) - limit)[len(score) - limit]).nonzero()[0]
    best: NDArray[np.int64] = chosen[np.lexsort((product[chosen], -score[chosen]))][:limit]
    return best
