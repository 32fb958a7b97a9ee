"""What a source returns: its candidates as parallel arrays, the best of each account first."""

from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.offers.facts import Facts
from service.offers.reasons import Source
from service.readmodel.product_index import ProductRow

MAX_PER_SOURCE: Final = 256
"""Candidates of one account from one source, the strongest; the model's list is as long as training made it."""


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
    """Where candidates come from. Made anew for each set of facts: it remembers what each candidate rests on."""

    name: Source

    def block(self) -> Block:
        """Return the candidates of every account."""

    def contributors(self, origin: int) -> list[ProductRow] | None:
        """Return up to two owned or basket products that contributed most to a candidate's score, greatest first.

        Empty where none stands out, None where the candidate is popular and nothing else speaks for it.
        """


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


def passing_first(
    facts: Facts, account: NDArray[np.int64], product: NDArray[np.int32], score: NDArray[Any]
) -> NDArray[Any]:
    """Return scores by which what a request filters out comes last: its place is for others where a list is cut."""
    if facts.filters is None or len(score) <= MAX_PER_SOURCE:
        return score
    return np.where(facts.filters.passes(account, product, facts.keys(account, product)), score, -np.inf)


def _best(product: NDArray[np.int32], score: NDArray[Any], limit: int) -> NDArray[np.int64]:
    if len(score) <= limit:
        return np.lexsort((product, -score))
    # A selection finds the least score that counts in a fraction of the time of sorting all of them.
    chosen = (score >= np.partition(score, len(score) - limit)[len(score) - limit]).nonzero()[0]
    best: NDArray[np.int64] = chosen[np.lexsort((product[chosen], -score[chosen]))][:limit]
    return best
