"""Pairs of account and candidate product at a snapshot, and whether they were bought within the horizon after it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS
from models.propensity.calibration import Examples
from models.propensity.features import features_of, functions_for
from models.propensity.pair_tables import PairTables
from models.propensity.snapshot import Snapshot
from models.ranking.shortlist import Shortlist
from models.ranking.weights import look_up

MAX_ACCOUNTS = 5_000
ACCOUNTS_PER_BATCH = 1_000


@dataclass(frozen=True)
class ListedCandidates:
    """The candidates of n accounts at a snapshot, best first.

    rows: int32 (n,). products: int32 (n, C). scores: float32 (n, C). owned: (n_accounts, n_products), of all accounts.
    """

    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    owned: csr_matrix


def sample_of_known(owned: csr_matrix, seed: int) -> NDArray[np.int32]:
    """A sample of the accounts that had bought something, ascending."""
    known = np.flatnonzero(np.diff(owned.indptr) > 0).astype(np.int32)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(known, min(len(known), MAX_ACCOUNTS), replace=False))


def examples_at(snapshot: Snapshot, tables: PairTables, listed: Shortlist, bought: csr_matrix) -> Examples:
    """Compute the features of candidates, and which were bought.

    bought: (A, P), within the horizon after the snapshot.
    """
    is_pair = listed.is_pair
    was_bought = look_up(bought, listed.rows[:, None], listed.products) > 0
    account = np.broadcast_to(listed.rows[:, None], listed.products.shape)
    return Examples(
        features=describe_pairs(tables, listed),
        score=listed.scores[is_pair],
        is_true=was_bought[is_pair],
        account=account[is_pair].astype(np.int64),
        novelty=snapshot.novelty_rate(is_pair.sum() / max(len(listed.rows), 1)),
    )


def describe_pairs(tables: PairTables, listed: Shortlist) -> NDArray[np.float32]:
    """Return float32 (m, F), the features of all candidates, one account after the other."""
    nothing = np.empty((0, len(functions_for(listed))), dtype=np.float32)
    parts = [features_of(tables, listed.part(batch))[listed.is_pair[batch]] for batch in batches_of(len(listed.rows))]
    return np.concatenate([nothing, *parts])


def best_of(listed: Shortlist, scores: NDArray[np.float64], count: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Return the best products of each account, int32 (n, count), NO_ROW padded, and the places of their scores.

    scores: (m,), of all candidates, one account after the other. places: (n, count), into them; -1 where padded.
    Ties keep the order of the shortlist.
    """
    is_pair = listed.is_pair
    spread = np.full(is_pair.shape, -np.inf)
    spread[is_pair] = scores
    place = np.full(is_pair.shape, -1, dtype=np.intp)
    place[is_pair] = np.arange(len(scores))
    order = np.argsort(-spread, axis=1, kind="stable")[:, :count]
    products, places = (np.take_along_axis(values, order, axis=1) for values in (listed.products, place))
    missing = ((0, 0), (0, count - order.shape[1]))
    return np.pad(products, missing, constant_values=NO_ROW), np.pad(places, missing, constant_values=-1)


def batches_of(n: int) -> list[slice]:
    """Cut n accounts into slices whose features fit into memory."""
    return [slice(begin, min(begin + ACCOUNTS_PER_BATCH, n)) for begin in range(0, n, ACCOUNTS_PER_BATCH)]


def bought_between(interactions: Interactions, begin: int, horizon_days: float) -> csr_matrix:
    """Return the positive net quantities that accounts bought within a horizon, (A, P)."""
    end = begin + round(horizon_days * DAY_SECONDS)
    return owned_matrix(interactions.select((interactions.time >= begin) & (interactions.time < end)))
