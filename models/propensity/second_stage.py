"""The second stage: a logistic model and boosted trees, stacked and calibrated, rank candidates and give P."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.artifact.calibrated import Calibrated
from models.propensity.calibration import Examples, RecentRate
from models.propensity.classifier import at_level, by_score, calibrate, fit_classifier, relative_to

ACCOUNT_FOLDS, PRODUCT_FOLDS = 3, 2
MAX_FALSE = 75_000
"""So many pairs that were not bought teach; each stands for several where there are more."""
MAX_SCALED = 100_000
"""The mean and the spread of scores are taken of so many pairs: trees need as long to score as to learn."""
TREES = 60
TREE_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.7,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_col_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True)
class BaseModels:
    """Two models of F features. logistic: it also holds the means and spreads that features are standardised by."""

    logistic: Calibrated
    trees: lightgbm.Booster

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, 2), the log odds that each gives. features: (n, F)."""
        scaled = _scaled(self.logistic, features)
        with threadpool_limits(1):
            of_logistic = scaled @ self.logistic.weights.astype(np.float32) + np.float32(self.logistic.bias[0])
            of_trees = self.trees.predict(scaled, raw_score=True) if len(scaled) else np.empty(0)
        return np.column_stack((of_logistic, np.asarray(of_trees, dtype=np.float32)))


@dataclass(frozen=True)
class SecondStage:
    """Two models, and a calibrated logistic model of their scores. novelty: when they were fitted."""

    base: BaseModels
    stack: Calibrated
    novelty: RecentRate

    def adapted(self, features: NDArray[np.float32], novelty: RecentRate) -> "SecondStage":
        """Adapt to a later snapshot. features: (n, F), of candidates that represent it."""
        base = replace(self.base, logistic=relative_to(self.base.logistic, features))
        stack = relative_to(self.stack, base.scores(_sample(features)))
        return SecondStage(base, at_level(stack, novelty.ratio_to(self.novelty)), novelty)

    def calibrated_on(
        self, held_out: NDArray[np.float64], of_earlier: NDArray[np.float64], is_true: NDArray[np.bool_]
    ) -> "SecondStage":
        """Calibrate on held-out scores together with those that a stage of the window before gave the same examples.

        held_out: (n,), see ``learn_second_stage``. of_earlier: (n,), by a stage that was adapted to this window.
        Demand is the same on both sides of a fold, and changes by the next window: held-out scores alone give too high
        a probability to the best candidates. The earlier stage, which had less to learn from, gives too low a one.
        """
        scores = np.concatenate((held_out, of_earlier))[:, None].astype(np.float32)
        calibrated = calibrate(by_score(), scores, np.tile(is_true, 2))
        return replace(self, stack=replace(self.stack, scores=calibrated.scores, shares=calibrated.shares))

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n,), what candidates are ranked by. features: (n, F)."""
        return self.stack.score(self.base.scores(features))

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return float32 (n,), P by score: in the same order, but for ties beyond the scores of the calibration."""
        return self.stack.calibrate(scores)


def learn_second_stage(
    examples: Examples, product: NDArray[np.int32], seed: int
) -> tuple[SecondStage, NDArray[np.float64]]:
    """Fit, stack and calibrate on one window; return the held-out scores of its examples, too.

    product: (n,), of each example.
    The stack and its calibration learn from scores of pairs whose account and whose product the two models had not
    seen. Trees recognise a product by its sales and age: with accounts alone held out they look far better than they
    are in the next window. Source: Wolpert, Stacked generalization (Neural Networks, 1992).
    """
    held_out = np.empty((len(product), 2), dtype=np.float32)
    for learned, rest in _folds(examples.account, product, seed):
        held_out[rest] = _fit(examples, learned, seed).scores(examples.features[rest])
    stack = calibrate(fit_classifier(held_out, examples.is_true), held_out, examples.is_true)
    base = _fit(examples, np.arange(len(product)), seed)
    # The models that saw everything are surer of themselves than those whose scores the stack learned from.
    stage = SecondStage(base, relative_to(stack, base.scores(_sample(examples.features))), examples.novelty)
    return stage, stack.score(held_out)


def _folds(
    account: NDArray[np.int64], product: NDArray[np.int32], seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the examples to learn from and those to score, which share neither an account nor a product with them.

    A single account or product is on both sides; where nothing shares neither, other accounts alone are learned from.
    """
    rng = np.random.default_rng(seed)
    of_account, n_accounts = _fold_of(account, ACCOUNT_FOLDS, rng)
    of_product, n_products = _fold_of(product, PRODUCT_FOLDS, rng)
    for account_fold in range(n_accounts):
        for product_fold in range(n_products):
            others = (of_account != account_fold) | (n_accounts == 1)
            apart = others & ((of_product != product_fold) | (n_products == 1))
            yield (
                np.flatnonzero(apart if apart.any() else others),
                np.flatnonzero((of_account == account_fold) & (of_product == product_fold)),
            )


def _fold_of(ids: NDArray[np.signedinteger], count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Deal the distinct ids out to folds; return the fold of each entry, and how many folds there are."""
    distinct, number = np.unique(ids, return_inverse=True)
    count = min(count, len(distinct))
    return (rng.permutation(len(distinct)) % max(count, 1))[number], count


def _fit(examples: Examples, rows: NDArray[np.intp], seed: int) -> BaseModels:
    """Fit both models on some examples, and on no more than MAX_FALSE that were not bought."""
    is_true = examples.is_true[rows]
    n_false = int((~is_true).sum())
    share = min(MAX_FALSE / max(n_false, 1), 1.0)
    is_kept = is_true | (np.random.default_rng(seed).random(len(rows)) < share)
    counts = np.where(is_true, 1.0, 1 / share)[is_kept]
    features, is_true = examples.features[rows[is_kept]], is_true[is_kept]
    logistic = fit_classifier(features, is_true, counts=counts)
    data = lightgbm.Dataset(_scaled(logistic, features), is_true.astype(np.int8), weight=counts, params={"verbose": -1})
    with threadpool_limits(1, user_api="blas"):
        trees = lightgbm.train(TREE_PARAMETERS | {"seed": seed}, data, TREES)
    return BaseModels(logistic, trees)


def _scaled(model: Calibrated, features: NDArray[np.float32]) -> NDArray[np.float32]:
    centre, scale = model.centre.astype(np.float32), model.scale.astype(np.float32)
    scaled = features - centre
    scaled /= scale
    return np.asarray(scaled)


def _sample(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most MAX_SCALED of the pairs, always the same of as many."""
    if len(features) <= MAX_SCALED:
        return features
    return features[np.sort(np.random.default_rng(0).choice(len(features), MAX_SCALED, replace=False))]
