"""Candidates of the trained model: neighbours of products, an account's list, and what is popular."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from models.artifact.content import BY_POPULARITY
from service.offers.account_products import AccountProducts
from service.offers.facts import Facts
from service.offers.neighbours import NeighbourScores, contributors_to
from service.offers.reasons import Source
from service.offers.sources.blocks import MAX_PER_SOURCE, Block, best_first, passing_first
from service.readmodel.product_index import ProductRow

MIN_UNFILTERED: Final = 32
"""The most popular products are candidates even if filters or policies withhold them: an empty list says why."""


class Neighbours:
    """What goes with the basket, or with what accounts new since the artifact bought last."""

    def __init__(self, name: Source, facts: Facts, seeds: AccountProducts) -> None:
        self.name = name
        self._facts = facts
        self.scores = NeighbourScores(facts.content, seeds, facts.n_accounts)

    def block(self) -> Block:
        scores = self.scores
        rank = passing_first(self._facts, scores.account, scores.product, scores.score)
        chosen = best_first(scores.account, scores.product, rank, self._facts.n_accounts, MAX_PER_SOURCE)
        return Block(scores.account[chosen], scores.product[chosen], scores.score[chosen], chosen)

    def contributors(self, origin: int) -> list[ProductRow]:
        return self.scores.contributors(origin)


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

    def contributors(self, origin: int) -> list[ProductRow] | None:
        content = self._facts.content
        row, place = divmod(origin, content.candidate_products.shape[1])
        if place < content.candidate_reasons.shape[1]:
            reasons: list[ProductRow] = content.candidate_reasons[row, place].tolist()
            if reasons[0] == BY_POPULARITY:
                return None
            reasons = [product for product in reasons if product != NO_ROW]
            if not any(self._facts.is_changed):
                return reasons
            if kept := self._still_owned(row, np.array(reasons, dtype=np.int32)):
                return kept
        return self._contributors_of(int(np.flatnonzero(self._facts.account_rows == row)[0]), origin)

    def _still_owned(self, row: int, products: NDArray[np.int32]) -> list[ProductRow]:
        """Leave out what was returned since the training."""
        facts = self._facts
        account = np.full(len(products), np.flatnonzero(facts.account_rows == row)[0])
        kept: list[ProductRow] = products[facts.owned.has(facts.keys(account, products))].tolist()
        return kept

    def _contributors_of(self, account: int, origin: int) -> list[ProductRow]:
        """Work out what training did not keep."""
        owned, content = self._facts.owned, self._facts.content
        products = owned.product[owned.account == account]
        return contributors_to(content, products, int(content.candidate_products.ravel()[origin]))


class Named:
    """What requests name as their only candidates: those that nothing else speaks for."""

    name = Source.POPULAR

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def block(self) -> Block:
        named, content = self._facts.among, self._facts.content
        score = np.empty(self._facts.n_products)
        score[content.popular_products] = content.popular_scores
        return Block(named.account, named.product, score[named.product], named.account)

    def contributors(self, origin: int) -> list[ProductRow] | None:
        return None


class Popular:
    """What most customers buy. Deep down, what is no longer sold or may not be offered is passed over."""

    name = Source.POPULAR

    def __init__(self, facts: Facts, depth: int) -> None:
        self._facts = facts
        self._depth = depth

    def block(self) -> Block:
        content, n_accounts = self._facts.content, self._facts.n_accounts
        positions = self._positions(2 * self._depth)
        product, score = content.popular_products[positions], content.popular_scores[positions]
        account = np.arange(n_accounts).repeat(len(product))
        if n_accounts > 1:
            product, score = np.tile(product, n_accounts), np.tile(score, n_accounts)
        return Block(account, product, score, account)

    def contributors(self, origin: int) -> list[ProductRow] | None:
        return None

    def _positions(self, n_wanted: int) -> NDArray[np.int64]:
        """Return up to so many positions among the popular products. Most of a catalogue is not looked at."""
        popular = self._facts.content.popular_products
        is_free = self._facts.filters is None and self._facts.policies is None
        n_unfiltered = self._depth if is_free else MIN_UNFILTERED
        parts: list[NDArray[np.int64]] = []
        n_chosen, begin, size = 0, 0, 2 * n_wanted
        while begin < len(popular) and n_chosen < n_wanted:
            chosen = self._may_be_offered(popular[begin : begin + size])
            chosen[: max(0, n_unfiltered - begin)] = True
            parts.append(begin + chosen.nonzero()[0])
            n_chosen += len(parts[-1])
            begin, size = begin + size, 4 * size
        return np.concatenate(parts)[:n_wanted] if parts else np.empty(0, dtype=np.int64)

    def _may_be_offered(self, product: NDArray[np.int32]) -> NDArray[np.bool_]:
        filters, policies = self._facts.filters, self._facts.policies
        may_be = self._facts.products.is_offerable[product]
        if filters is not None:
            may_be &= filters.popular[product]
        if policies is not None:
            may_be &= policies.pass_any(product)
        return may_be
