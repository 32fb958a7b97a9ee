"""Caravan policies: half of those who hold one are in the fifth that is most likely to, however the folds fall."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.targets.caravan import caught_in_top, foretell_caravan, load_customers
from models.evaluate.calibration import Predictions, measure

CUSTOMERS, BUYERS = 5_822, 348
"""As the challenge counts them."""


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_the_top_fifth_holds_half_of_the_buyers(data_folder: Path, seed: int) -> None:
    foretold = foretell_caravan(load_customers(data_folder / "caravan_train.parquet"), seed)

    ours = foretold["ours"]
    found = measure(ours, 0)
    assert (len(ours.p), ours.is_true.sum()) == (CUSTOMERS, BUYERS)
    assert caught_in_top(ours).mean() >= 0.5
    assert caught_in_top(ours).mean() > caught_in_top(foretold["codes as numbers, plain logistic"]).mean()
    assert found["calibration_error"].mean <= 0.01
    assert found["observed_over_expected"].low < 1 < found["observed_over_expected"].high


def test_who_is_caught_in_the_top_is_counted_among_the_buyers() -> None:
    is_true = np.array([True, False, True, False, True, False, False, False, False, False])
    foretold = Predictions(np.linspace(0.9, 0.1, 10), is_true, np.arange(10))

    assert caught_in_top(foretold, 0.2).tolist() == [1, 0, 0]
    assert caught_in_top(foretold, 0.3).mean() == pytest.approx(2 / 3)
