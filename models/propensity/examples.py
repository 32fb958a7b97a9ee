"""Pairs of account and candidate product at a moment, and whether they came true within the horizon after it."""

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
from models.propensity.snapshot import Moment
from models.ranking.blend import BlendScorer
from models.ranking.weights import look_up

MAX_ACCOUNTS = 5_000
ACCOUNTS_PER_BATCH = 1_000


@dataclass(frozen=True)
class Listed:
    """The candidates of some accounts at a moment. rows: int32 (n,). products: int32 (n, C). scores: float32 (n, C)."""

    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    owned: csr_matrix


def list_at(moment: Moment, scorer: BlendScorer, seed: int) -> Listed:
    """List the candidates of a sample of the accounts that had bought something, as they would have been listed."""
    owned = owned_matrix(moment.past)
    known = np.flatnonzero(np.diff(owned.indptr) > 0).astype(np.int32)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(known, min(len(known), MAX_ACCOUNTS), replace=False))
    lists = list_candidates(scorer, owned, moment.products.is_active, rows, explained=0)
    return Listed(rows, lists.products, lists.scores, owned)


def examples_at(moment: Moment, listed: Listed, bought: csr_matrix) -> Examples:
    """Describe candidates and tell which were bought. bought: (A, P), within the horizon after the moment."""
    known = learn_features(moment)
    is_pair = listed.products != NO_ROW
    parts = [
        known.of(listed.rows[at], listed.products[at], listed.scores[at])[is_pair[at]]
        for at in batches_of(len(listed.rows))
    ]
    came_true = look_up(bought, listed.rows[:, None], listed.products) > 0
    account = np.broadcast_to(listed.rows[:, None], listed.products.shape)
    return Examples(
        features=np.concatenate(parts),
        score=listed.scores[is_pair],
        is_true=came_true[is_pair],
        account=account[is_pair].astype(np.int64),
        tide=moment.tide(is_pair.sum() / max(len(listed.rows), 1)),
    )


def batches_of(n: int) -> list[slice]:
    """Cut so many accounts into pieces whose features fit into memory."""
    return [slice(begin, min(begin + ACCOUNTS_PER_BATCH, n)) for begin in range(0, n, ACCOUNTS_PER_BATCH)]


def bought_between(interactions: Interactions, begin: int, horizon_days: float) -> csr_matrix:
    """Return what accounts bought, and kept, within a horizon: (A, P), positive net quantities."""
    end = begin + round(horizon_days * DAY_SECONDS)
    return owned_matrix(interactions.select((interactions.time >= begin) & (interactions.time < end)))
