"""Pairs of account and candidate product at a snapshot, and whether they were bought within the horizon after it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.candidates import list_candidates
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS
from models.propensity.calibration import Examples
from models.propensity.features import learn_features
from models.propensity.snapshot import Snapshot
from models.ranking.blend import BlendScorer
from models.ranking.weights import look_up

MAX_ACCOUNTS = 5_000
ACCOUNTS_PER_BATCH = 1_000


@dataclass(frozen=True)
class ListedCandidates:
    """The candidates of n accounts at a snapshot.

    rows: int32 (n,). products: int32 (n, C). scores: float32 (n, C). owned: (n_accounts, n_products), of all accounts.
    """

    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    owned: csr_matrix


def list_candidates_at(snapshot: Snapshot, scorer: BlendScorer, seed: int) -> ListedCandidates:
    """List the candidates of a sample of the accounts that had bought something, as training would have listed them."""
    owned = owned_matrix(snapshot.past)
    known = np.flatnonzero(np.diff(owned.indptr) > 0).astype(np.int32)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(known, min(len(known), MAX_ACCOUNTS), replace=False))
    lists = list_candidates(scorer, owned, snapshot.products.is_offerable, rows, explained=0)
    return ListedCandidates(rows, lists.products, lists.scores, owned)


def examples_at(snapshot: Snapshot, listed: ListedCandidates, bought: csr_matrix) -> Examples:
    """Compute the features of candidates, and which were bought.

    bought: (A, P), within the horizon after the snapshot.
    """
    features = learn_features(snapshot)
    is_pair = listed.products != NO_ROW
    parts = [
        features.features_of(listed.rows[batch], listed.products[batch], listed.scores[batch])[is_pair[batch]]
        for batch in batches_of(len(listed.rows))
    ]
    was_bought = look_up(bought, listed.rows[:, None], listed.products) > 0
    account = np.broadcast_to(listed.rows[:, None], listed.products.shape)
    return Examples(
        features=np.concatenate(parts),
        score=listed.scores[is_pair],
        is_true=was_bought[is_pair],
        account=account[is_pair].astype(np.int64),
        novelty=snapshot.novelty_rate(is_pair.sum() / max(len(listed.rows), 1)),
    )


def batches_of(n: int) -> list[slice]:
    """Cut n accounts into slices whose features fit into memory."""
    return [slice(begin, min(begin + ACCOUNTS_PER_BATCH, n)) for begin in range(0, n, ACCOUNTS_PER_BATCH)]


def bought_between(interactions: Interactions, begin: int, horizon_days: float) -> csr_matrix:
    """Return the positive net quantities that accounts bought within a horizon, (A, P)."""
    end = begin + round(horizon_days * DAY_SECONDS)
    return owned_matrix(interactions.select((interactions.time >= begin) & (interactions.time < end)))
