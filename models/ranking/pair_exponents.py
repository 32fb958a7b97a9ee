"""Learn how much each figure of a pair of products counts, from baskets of a later window."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from models.arrays import concatenate_ranges, find_sorted, run_starts
from models.data.interactions import Interactions
from models.evaluate.baskets import HiddenProducts, hide_products
from models.ranking.product_pairs import ProductPairs
from models.ranking.settings import PairExponents

MAX_BASKETS: Final = 4_000
MAX_ENTRIES: Final = 3_000_000
"""Of baskets times their products times the pairs of each; fewer baskets are taken where there are more."""
PRIOR_BASKETS: Final = 10.0
"""A squared distance of 1 from the default exponents counts as much as a loss of 1 in so many baskets."""
MAX_ITERATIONS: Final = 60


def learn_exponents(pairs: ProductPairs, learned: Interactions, window: Interactions, seed: int) -> PairExponents:
    """Fit a conditional logit to the hidden product of each basket of a window after the one of the pairs.

    A target's score s is the sum of the basket's strengths for it; the hidden product is taken to be the target j with
    probability ``s_j^t / sum_k s_k^t`` among all targets of the basket. The exponents and t maximise the likelihood,
    less a penalty for their distance from the defaults (of t, 1), which few baskets therefore hardly move.
    """
    baskets = hide_products(window, learned.is_sold, MAX_BASKETS, seed)
    n_entries = int(np.diff(pairs.offsets)[baskets.rest].sum())
    if n_entries > MAX_ENTRIES:
        baskets = hide_products(window, learned.is_sold, len(baskets.hidden) * MAX_ENTRIES // n_entries, seed)
    choices = collect_choices(pairs, baskets)
    if not choices.n_baskets:
        return PairExponents()
    default, options = np.append(PairExponents().as_tuple(), 0.0), {"maxiter": MAX_ITERATIONS}
    with threadpool_limits(1):  # sums in one order
        best = minimize(
            lambda x: penalised_loss(choices, x, default), default, jac=True, method="L-BFGS-B", options=options
        )
    return PairExponents(*np.round(best.x[:-1], 4).tolist())


@dataclass(frozen=True)
class Choices:
    """Baskets whose hidden product is among their targets.

    features: float32 (n_entries, 4), of each pair of a product in the basket and a target.
    entry_target: int64 (n_entries,), the position of the target. basket: int64 (n_targets,), ascending.
    is_hidden: bool (n_targets,), once in each basket.
    """

    features: NDArray[np.float32]
    entry_target: NDArray[np.int64]
    basket: NDArray[np.int64]
    is_hidden: NDArray[np.bool_]
    n_baskets: int


def collect_choices(pairs: ProductPairs, baskets: HiddenProducts) -> Choices:
    """Look up the pairs of each basket; a target that is in the basket is none."""
    n_products = len(pairs.offsets) - 1
    basket = np.repeat(np.arange(len(baskets.ends)), np.diff(baskets.ends, prepend=0))
    number, position = concatenate_ranges(pairs.offsets[baskets.rest], np.diff(pairs.offsets)[baskets.rest])
    key = basket[number] * n_products + pairs.target[position]
    is_target = find_sorted(np.sort(basket * n_products + baskets.rest), key) < 0
    key, position = key[is_target], position[is_target]
    keys, entry_target = np.unique(key, return_inverse=True)
    owner, product = np.divmod(keys, n_products)
    is_hidden = product == baskets.hidden[owner]
    has_hidden = np.bincount(owner, is_hidden, len(baskets.ends)) > 0
    is_kept = has_hidden[owner]
    entries = is_kept[entry_target]
    basket_number = (np.cumsum(has_hidden) - 1)[owner[is_kept]]
    return Choices(
        pairs.features[position[entries]],
        (np.cumsum(is_kept) - 1)[entry_target[entries]],
        basket_number,
        is_hidden[is_kept],
        int(has_hidden.sum()),
    )


def penalised_loss(
    choices: Choices, x: NDArray[np.float64], default: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean negative log-likelihood with its penalty, and its gradient, float64 (5,).

    x: float64 (5,), the exponents and the logarithm of t. default: float64 (5,), where there is no penalty.
    """
    n, power = choices.n_baskets, np.exp(x[-1])
    strength = np.exp(choices.features @ x[:-1])
    score = np.bincount(choices.entry_target, strength, len(choices.basket))
    logit = power * np.log(np.maximum(score, 1e-300))
    begins = np.flatnonzero(run_starts(choices.basket))
    logit -= np.maximum.reduceat(logit, begins)[choices.basket]
    total = np.bincount(choices.basket, np.exp(logit))
    log_p = logit - np.log(total)[choices.basket]
    excess = (np.exp(log_p) - choices.is_hidden) / n
    of_entry = (power * excess / np.maximum(score, 1e-300))[choices.entry_target] * strength
    shift, share = x - default, PRIOR_BASKETS / n
    loss = -log_p[choices.is_hidden].sum() / n + share * shift @ shift
    gradient = np.append(of_entry @ choices.features, excess @ logit) + 2 * share * shift
    return float(loss), gradient
