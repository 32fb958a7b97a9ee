"""Who subscribes to a term deposit when a bank calls: 45,211 contacts in time order, May 2008 to November 2010.

Fitted on the first 20,000, calibrated on the next 5,000, then watched window by window. Whom the bank calls changes, by
which line, and what they answer: one in seventeen subscribes at first, half of them at the end. ``duration`` is left
out, being known after the call only; so are ``day`` and ``month``, of which the fit sees four.
Source: Moro, Cortez and Rita (Decision Support Systems 2014); UCI Bank Marketing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.artifact.calibrated import Calibrated
from models.evaluate.calibration import Predictions
from models.evaluate.drift import LevelWatch, level_z, stability_index, watch_level
from models.propensity.classifier import calibrate, fit_classifier

FITTED, CALIBRATED = 20_000, 25_000
WINDOW = 2_500
TEXT_COLUMNS = ("job", "marital", "education", "contact", "poutcome")
SWITCHES = ("default", "housing", "loan")
FADING_DAYS = 180
ALARMS = 2


@dataclass(frozen=True)
class Contacts:
    """Contacts in time order: features float32 (n, F), and who subscribed."""

    features: NDArray[np.float32]
    is_true: NDArray[np.bool_]
    month: NDArray[np.str_]


@dataclass(frozen=True)
class Window:
    """Consecutive contacts.

    frozen:    as predicted by the model that was calibrated before all of them.
    refitted:  as predicted by a model of everything before the window, calibrated on the window before it.
    z:         observed less expected of the frozen model, in standard errors.
    stability: population stability index of its scores, beside those it was calibrated on.
    """

    months: str
    begin: int
    frozen: Predictions
    refitted: Predictions
    z: float
    stability: float


def load_contacts(path: Path) -> Contacts:
    """Read the contacts, and make features of what is known before each call."""
    table = pq.read_table(path)
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    features = np.column_stack(list(_features(columns))).astype(np.float32)
    return Contacts(features, columns["y"] == "yes", columns["month"].astype(str))


def fit_frozen(contacts: Contacts) -> Calibrated:
    """The model that is then left as it is."""
    return _fit(contacts, FITTED, CALIBRATED)


def first_alarms(contacts: Contacts, model: Calibrated, most: int = ALARMS) -> list[tuple[int, LevelWatch]]:
    """Watch every outcome from the calibration on, and again from each alarm: the begin and result of each watch."""
    alarms: list[tuple[int, LevelWatch]] = []
    begin = CALIBRATED
    while len(alarms) < most:
        p = model.predict(contacts.features[begin:]).astype(np.float64)
        watch = watch_level(p, contacts.is_true[begin:], horizon=len(contacts.is_true) - CALIBRATED)
        if watch.noticed_after is None:
            break
        alarms.append((begin, watch))
        begin += watch.noticed_after
    return alarms


def windows_of(contacts: Contacts, model: Calibrated) -> list[Window]:
    """Every window from the calibration on; the last one takes what is left over."""
    n = len(contacts.is_true)
    begins = range(CALIBRATED, n - WINDOW + 1, WINDOW)
    return [_window(contacts, model, begin, n if begin == begins[-1] else begin + WINDOW) for begin in begins]


def _fit(contacts: Contacts, fitted: int, calibrated: int) -> Calibrated:
    """Fit on the contacts before one place, calibrate on those from there to another."""
    model = fit_classifier(contacts.features[:fitted], contacts.is_true[:fitted])
    return calibrate(model, contacts.features[fitted:calibrated], contacts.is_true[fitted:calibrated])


def _window(contacts: Contacts, model: Calibrated, begin: int, end: int) -> Window:
    frozen = _predict(contacts, model, begin, end)
    reference, scores = (
        model.score(contacts.features[rows]) for rows in (slice(FITTED, CALIBRATED), slice(begin, end))
    )
    return Window(
        months=f"{contacts.month[begin]} to {contacts.month[end - 1]}",
        begin=begin,
        frozen=frozen,
        refitted=_predict(contacts, _fit(contacts, begin - WINDOW, begin), begin, end),
        z=level_z(frozen.p, frozen.is_true),
        stability=stability_index(reference, scores),
    )


def _predict(contacts: Contacts, model: Calibrated, begin: int, end: int) -> Predictions:
    p = model.predict(contacts.features[begin:end]).astype(np.float64)
    return Predictions(p, contacts.is_true[begin:end], np.arange(end - begin))


def _features(columns: dict[str, NDArray[np.generic]]) -> Iterator[NDArray[np.generic]]:
    """Each value of a text column, and what the bank knows of the client and of the calls before."""
    for name in TEXT_COLUMNS:
        yield from (columns[name] == text for text in np.unique(columns[name]))
    yield from (columns[name] == "yes" for name in SWITCHES)
    age, balance, calls, before, days = (
        columns[name].astype(np.float64) for name in ("age", "balance", "campaign", "previous", "pdays")
    )
    yield age
    yield np.abs(age - 40)
    yield np.sign(balance) * np.log1p(np.abs(balance))
    yield np.log(calls)
    yield np.log1p(before)
    yield np.where(days > 0, np.exp(-days / FADING_DAYS), 0.0)
