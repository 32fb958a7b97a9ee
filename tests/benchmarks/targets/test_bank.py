"""Term deposits in time order: the model loses its calibration, and the drift watch notices."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.targets.bank import CALIBRATED, FITTED, Contacts, first_alarms, fit_frozen, load_contacts, windows_of
from models.artifact.calibrated import Calibrated
from models.evaluate.calibration import measure
from models.evaluate.drift import watch_level

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def contacts(data_folder: Path) -> Contacts:
    return load_contacts(data_folder / "bank_marketing_full.parquet")


@pytest.fixture(scope="module")
def frozen(contacts: Contacts) -> Calibrated:
    return fit_frozen(contacts)


def test_drift_is_noticed_soon_after_answers_change_and_not_before(contacts: Contacts, frozen: Calibrated) -> None:
    (_, fall), (begin, rise) = first_alarms(contacts, frozen)

    # In January 2009 fewer answer yes than in the months before, and at the end of February many more.
    fallen, risen = CALIBRATED + fall.since, begin + rise.since
    assert contacts.month[fallen] == "jan"
    assert fall.ratio < 1
    assert contacts.is_true[fallen : fallen + 1_000].mean() < contacts.is_true[CALIBRATED:fallen].mean() * 2 / 3
    assert contacts.month[risen] == "feb"
    assert rise.ratio > 1
    assert contacts.is_true[risen : risen + 300].mean() > 3 * contacts.is_true[begin:risen].mean()
    assert rise.noticed_after is not None
    assert rise.noticed_after - rise.since < 100


def test_answers_that_come_as_predicted_raise_no_alarm(contacts: Contacts, frozen: Calibrated) -> None:
    p = frozen.predict(contacts.features[CALIBRATED:]).astype(np.float64)
    alarms = [
        watch_level(p, np.random.default_rng(seed).random(len(p)) < p, len(p)).noticed_after for seed in range(40)
    ]

    assert sum(alarm is not None for alarm in alarms) <= 0.05 * 40 + 4


def test_calibration_holds_where_it_was_learned_and_is_lost_as_answers_drift(
    contacts: Contacts, frozen: Calibrated
) -> None:
    windows = windows_of(contacts, frozen)

    first, last = (measure(windows[place].frozen, 0) for place in (0, -1))
    refitted = measure(windows[-1].refitted, 0)
    assert sum(len(window.frozen.p) for window in windows) == len(contacts.is_true) - CALIBRATED
    assert FITTED < CALIBRATED <= windows[0].begin
    assert first["calibration_error"].mean < 0.03
    assert abs(windows[0].z) < 2
    assert last["calibration_error"].low > 0.3
    assert last["observed_over_expected"].low > 4
    assert refitted["calibration_error"].high < last["calibration_error"].low
    assert refitted["auc"].low > last["auc"].high
