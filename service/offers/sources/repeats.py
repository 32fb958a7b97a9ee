"""Candidates that an account bought before, and may buy again."""

from typing import Final

import numpy as np

from service.offers.facts import Facts
from service.offers.reasons import Source
from service.offers.repeats import Repeats
from service.offers.sources.blocks import Block, best_first
from service.readmodel.product_index import ProductRow

MAX_REPEATS: Final = 100
"""Candidates of one account, as many as training lists of new products."""


class RepeatPurchases:
    """What each account may buy again, the likeliest first. What is not due yet comes last, and rules withhold it."""

    name = Source.REPEAT

    def __init__(self, facts: Facts, repeats: Repeats) -> None:
        self._facts = facts
        self._repeats = repeats

    def block(self) -> Block:
        facts, repeats = self._facts, self._repeats
        account, product, keys = repeats.pairs
        # What may not be offered takes no place from what may.
        rank = np.where(repeats.is_due, repeats.score, repeats.score - np.ptp(repeats.score) - 1)
        if facts.filters is not None:
            rank = np.where(facts.filters.passes(account, product, keys), rank, -np.inf)
        # What a request names comes back with the reason for it, however much of it there is.
        limit = MAX_REPEATS if facts.among.is_empty else len(product)
        chosen = best_first(account, product, rank, facts.n_accounts, limit)
        return Block(account[chosen], product[chosen], repeats.score[chosen], chosen)

    def contributors(self, origin: int) -> list[ProductRow] | None:
        return []
