"""Caravan policies: half of those who hold one are in the fifth that is most likely to, however the folds fall."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.targets.caravan import caught_in_top, load_customers, predict_caravan
from models.evaluate.calibration import Predictions, measure

CUSTOMERS, BUYERS = 5_822, 348
"""As the challenge counts them."""


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_the_top_fifth_holds_half_of_the_buyers(data_folder: Path, seed: int) -> None:
    predictions = predict_caravan(load_customers(data_folder / "caravan_train.parquet"), seed)

    ours = predictions["ours"]
    measured = measure(ours, 0)
    assert (len(ours.p), ours.is_true.sum()) == (CUSTOMERS, BUYERS)
    assert caught_in_top(ours).mean() >= 0.5
    assert caught_in_top(ours).mean() > caught_in_top(predictions["codes as numbers, plain logistic"]).mean()
    assert measured["calibration_error"].mean <= 0.01
    assert measured["observed_over_expected"].low < 1 < measured["observed_over_expected"].high


def test_who_is_caught_in_the_top_is_counted_among_the_buyers() -> None:
    is_true = np.array([True, False, True, False, True, False, False, False, False, False])
    predictions = Predictions(np.linspace(0.9, 0.1, 10), is_true, np.arange(10))

    assert caught_in_top(predictions, 0.2).tolist() == [1, 0, 0]
    assert caught_in_top(predictions, 0.3).mean() == pytest.approx(2 / 3)
