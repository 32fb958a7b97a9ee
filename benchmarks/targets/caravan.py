"""Who holds a caravan policy: 5,822 customers of an insurer, by what else they hold and who lives where they live.

Cross-validated, since the data have no time: every customer is predicted by a model that never saw it, and each of
those models chose its penalty and was calibrated by a cross-validation within its own training part. Features follow
the data's description and no outcome: bands of yearly contribution and types of customer are codes, each with a weight
of its own where one customer in a hundred has it; what is ordered stays a number.
Source: van der Putten and van Someren (eds.), CoIL Challenge 2000; its winner found 121 of 238 buyers, 51 %, in the
top fifth of the challenge's own 4,000 test customers, where chance finds 48.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from models.evaluate.calibration import Predictions
from models.propensity.classifier import fit_classifier
from models.propensity.cross import Part, fit_on_all

OUTCOME = "caravan"
TYPES = ("mostype", "moshoofd")
MIN_SHARE = 0.01
MIN_HOLDERS = 5
OUTER_FOLDS, INNER_FOLDS = 10, 5
INVERSE_REGULARIZATIONS = (0.001, 0.003, 0.01)
TOP_SHARE = 0.2
MODELS = ("ours", "codes as numbers, plain logistic", "base rate")


@dataclass(frozen=True)
class Customers:
    """Features float32 (n, F): ours, and the codes as they are, for the floor; and who holds the policy."""

    features: NDArray[np.float32]
    codes: NDArray[np.float32]
    is_true: NDArray[np.bool_]


def load_customers(path: Path) -> Customers:
    """Read the customers, and make their features."""
    table = pq.read_table(path)
    columns = {name: table[name].to_numpy().astype(np.float32) for name in table.column_names}
    is_true = columns.pop(OUTCOME) == 1
    features = np.column_stack(list(_features(columns))).astype(np.float32)
    return Customers(features, np.column_stack(list(columns.values())), is_true)


def predict_caravan(customers: Customers, seed: int) -> dict[str, Predictions]:
    """Predict every customer with models that never saw it: ours, a plain logistic of the codes, and the base rate."""
    probabilities = {name: np.zeros(len(customers.is_true)) for name in MODELS}
    for rows, others in folds(customers.is_true, OUTER_FOLDS, seed):
        is_true = customers.is_true[rows]
        parts = folds(is_true, INNER_FOLDS, seed)
        ours = fit_on_all(customers.features[rows], is_true, parts, INVERSE_REGULARIZATIONS)
        plain = fit_classifier(customers.codes[rows], is_true, inverse_regularization=1.0)
        predicted = (ours.predict(customers.features[others]), plain.predict(customers.codes[others]), is_true.mean())
        for p, values in zip(probabilities.values(), predicted, strict=True):
            p[others] = values
    each = np.arange(len(customers.is_true))
    return {name: Predictions(p, customers.is_true, each) for name, p in probabilities.items()}


def folds(is_true: NDArray[np.bool_], n_folds: int, seed: int) -> list[Part]:
    """Parts of a stratified cross-validation: the rows of all folds but one, and of that one."""
    shuffled = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return list(shuffled.split(is_true, is_true))


def caught_in_top(predictions: Predictions, share: float = TOP_SHARE) -> NDArray[np.float64]:
    """Of each who bought, 1 if among the given share of all with the highest probabilities, else 0."""
    n = round(share * len(predictions.p))
    top = np.argsort(-predictions.p, kind="stable")[:n]
    is_top = np.zeros(len(predictions.p))
    is_top[top] = 1
    return is_top[predictions.is_true]


def _features(columns: dict[str, NDArray[np.float32]]) -> Iterator[NDArray[np.bool_] | NDArray[np.float32]]:
    """Contributions (p…) by band and by whether there is any, types by code, the rest of the district (m…) as it is."""
    for name, values in columns.items():
        if name in TYPES or name.startswith("p"):
            codes, n = np.unique(values, return_counts=True)
            yield from (values == code for code in codes[n >= MIN_SHARE * len(values)])
        if name.startswith("p") and (values > 0).sum() >= MIN_HOLDERS:
            yield values > 0
        if name.startswith("m") and name not in TYPES:
            yield values
