"""Coupons in The Complete Journey: predicted from what was known, ordered and calibrated on later campaigns."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.targets.coupons import CALIBRATE_FROM, REPORT_FROM, examples_of, forward_parts, predict_coupons
from benchmarks.targets.journey import Journey, Lines, load_journey
from models.evaluate.calibration import measure
from service.demo.dataset import DemoDataMissing, package_folder

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def journey() -> Journey:
    try:
        return load_journey(package_folder())
    except DemoDataMissing:
        pytest.skip("the demo's data package is not installed")


def before(journey: Journey, cutoff: int) -> Journey:
    """What was known before a time."""
    lines = journey.lines
    household, campaign, time = journey.redeemed
    is_earlier, is_past = lines.time < cutoff, time < cutoff
    return replace(
        journey,
        lines=Lines(**{name: values[is_earlier] for name, values in vars(lines).items()}),
        redeemed=(household[is_past], campaign[is_past], time[is_past]),
    )


def test_later_campaigns_are_ordered_and_calibrated(journey: Journey) -> None:
    predictions = predict_coupons(journey)

    ours, plain = (measure(predictions[name], 0) for name in ("ours", "nine counts, plain logistic"))
    assert ours["auc"].mean >= 0.82
    assert ours["calibration_error"].mean <= 0.03
    assert ours["observed_over_expected"].low < 1 < ours["observed_over_expected"].high
    assert ours["auc"].mean > plain["auc"].mean
    assert ours["calibration_error"].high < plain["calibration_error"].low
    assert ours["brier"].mean < ours["brier_of_base_rate"].low


def test_features_are_known_before_the_campaign(journey: Journey) -> None:
    first = int(journey.starts[journey.starts >= REPORT_FROM][0])

    known, later = examples_of(before(journey, first)), examples_of(journey)

    is_its = later.start <= first
    assert (known.features[is_its] == later.features[is_its]).all()
    assert (known.features[~is_its] != later.features[~is_its]).any()


def test_nothing_is_predicted_from_a_campaign_that_starts_later_or_at_once(journey: Journey) -> None:
    received = journey.starts[journey.received[1]]
    start = received[received < REPORT_FROM]

    parts = forward_parts(start)

    predicted_rows = np.concatenate([later for _, later in parts])
    assert all(start[rows].max() < start[later].min() for rows, later in parts)
    assert len(np.unique(predicted_rows)) == len(predicted_rows) == (start >= CALIBRATE_FROM).sum()
