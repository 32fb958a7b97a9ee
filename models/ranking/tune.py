"""Search hyperparameters on the validation window, on request."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.data.interactions import Interactions
from models.ranking.choose import best_weights, collect_pool
from models.ranking.fit import fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters

LADDER: dict[str, tuple[float, ...]] = {
    "half_life_days": (20.0, 90.0, 180.0, 365.0, 1_000.0),
    "alpha": (3.0, 30.0),
    "regularization": (5.0, 50.0),
    "embedding_size": (64, 192),
    "account_discount": (0.5, 1.0),
    "product_discount": (0.4, 0.6),
    "popularity_half_life_days": (7.0, 60.0, 365.0),
    "iterations": (10, 30),
}
"""Values to try in place of the current one, the most influential hyperparameter first."""
MIN_GAIN = 1.002
"""The factor that a change has to gain: smaller gains are noise on a validation window."""


def tune(
    learned: Interactions,
    validation: Interactions,
    as_of: int,
    parameters: RankingParameters,
    progress: Callable[[str], None],
) -> tuple[RankingParameters, BlendWeights]:
    """Return the parameters and weights with the best NDCG@20 on new products in the validation window.

    Changes one hyperparameter at a time and keeps what gains; deterministic. The held-out window takes no part.
    as_of: local seconds, when the validation window begins.
    """
    best, weights, gain = parameters, BlendWeights(), 0.0
    changes: list[dict[str, Any]] = [{}, *({name: value} for name, values in LADDER.items() for value in values)]
    for change in changes:
        candidate = replace(best, **change)
        candidate_gain, candidate_weights = _try(learned, validation, as_of, candidate)
        is_better = candidate_gain > gain * (MIN_GAIN if gain else 1)
        progress(f"NDCG@20 {candidate_gain:.4f}{' (kept)' if is_better else ''} with {_difference(best, candidate)}")
        if is_better:
            best, weights, gain = candidate, candidate_weights, candidate_gain
    return best, weights


def _try(
    learned: Interactions, validation: Interactions, as_of: int, parameters: RankingParameters
) -> tuple[float, BlendWeights]:
    fitted = fit_rankers(learned, as_of, parameters, lambda message: None)
    pool = collect_pool(fitted, learned, validation)
    if pool is None:
        return 0.0, BlendWeights()
    weights = best_weights(pool)
    return pool.gain(weights), weights


def _difference(before: RankingParameters, after: RankingParameters) -> str:
    earlier = before.to_json()
    changes = [f"{name} {value:g}" for name, value in after.to_json().items() if value != earlier[name]]
    return ", ".join(changes) or "the parameters given"
