"""Candidates that relationships lead to, from what an account owns or has in its basket."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges
from models.artifact import NO_ROW
from models.artifact.relationships import ACCESSORY, CROSS_SELL, SUBSTITUTE, UP_SELL
from service.offers.account_products import AccountProducts
from service.offers.facts import Facts
from service.offers.filters import RelatedProducts
from service.offers.reasons import Source
from service.offers.sources.blocks import MAX_PER_SOURCE, NO_CANDIDATES, Block, best_first, passing_first
from service.readmodel.product_index import ProductRow

MAX_COMPANION_SEEDS: Final = 16
"""Owned products whose companions are candidates: those with the strongest companion."""


class _Related:
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
        rank = passing_first(self.facts, account, target, rank)
        chosen = best_first(account, target, rank, self.facts.n_accounts, MAX_PER_SOURCE)
        return Block(account[chosen], target[chosen], strength[chosen], self.seeds.product[places[chosen]])


class Upgrades(_Related):
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


class Promoted(_Related):
    """What is curated to go with what is owned or in the basket."""

    def block(self) -> Block:
        return self.follow(*self.facts.relationships.promoted.expand(self.seeds.product))


class BasketCompanions(_Related):
    """What goes with what is in the basket."""

    def block(self) -> Block:
        index, products = self.facts.relationships, self.seeds.product
        begins, ends = index.runs(CROSS_SELL)[0][products], index.runs(ACCESSORY)[1][products]
        return self.follow(*concatenate_ranges(begins, ends - begins))


class OwnedCompanions(_Related):
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
        rank = passing_first(self.facts, account, target, strength)
        best = best_first(account, target, rank, n_accounts, MAX_PER_SOURCE)
        return Block(account[best], target[best], strength[best], seed[there[best] // targets.shape[1]])


class Substitutes:
    """What stands in for candidates that are sold out."""

    name = Source.PERSONALIZED

    def __init__(self, facts: Facts, account: NDArray[np.int64], product: NDArray[np.int32]) -> None:
        self._facts = facts
        # A product may be the candidate of several sources.
        keys = np.unique(account * facts.n_products + product)
        self._account, self._product = keys // facts.n_products, keys % facts.n_products

    def block(self) -> Block:
        index, facts = self._facts.relationships, self._facts
        begins, ends = (bounds[self._product] for bounds in index.runs(SUBSTITUTE))
        places, positions = concatenate_ranges(begins, ends - begins)
        account, target, strength = self._account[places], index.target[positions], index.strength[positions]
        best = best_first(account, target, strength, facts.n_accounts, MAX_PER_SOURCE)
        return Block(account[best], target[best], strength[best], self._product[places[best]])

    def contributors(self, origin: int) -> list[ProductRow]:
        return []


class Related:
    """What the relations that a request asks for lead to, from the basket or from what is owned."""

    def __init__(self, name: Source, related: RelatedProducts, n_accounts: int) -> None:
        self.name = name
        self._related = related
        self._n_accounts = n_accounts

    def block(self) -> Block:
        pairs, _, strength, is_basket = self._related
        there = (is_basket == (self.name is Source.BASKET)).nonzero()[0]
        account, product = pairs.account[there], pairs.product[there]
        best = best_first(account, product, strength[there], self._n_accounts, MAX_PER_SOURCE)
        return Block(account[best], product[best], strength[there[best]], self._related.source[there[best]])

    def contributors(self, origin: int) -> list[ProductRow]:
        return [ProductRow(origin)]
