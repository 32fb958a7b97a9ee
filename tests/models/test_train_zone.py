"""Training in the time zone of the business: the artifact ends at a local midnight, and says of which zone."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.artifact import open_artifact
from models.artifact.segments import read_segment_report
from models.data.day_zone import DayZone
from models.data.history import History
from models.train import Trained, TrainingOptions, train
from tests.models.histories import DAY, START, make_history

NEW_YORK = DayZone("America/New_York")
DAYS = 120
LAST = START + (DAYS - 1) * DAY


def history_in(zone: DayZone) -> History:
    """Orders at midnight UTC; in New York these are of the evening before."""
    rng = np.random.default_rng(5)
    lines = [
        (f"a{rng.integers(40)}", str(order), f"p{rng.integers(8)}", int(rng.integers(DAYS)), 1) for order in range(500)
    ]
    history = make_history([*lines, ("a1", "last", "p1", DAYS - 1, 1)])
    interactions = history.interactions
    return replace(history, interactions=replace(interactions, time=zone.to_local(interactions.time)), zone=zone)


def trained_in(zone: DayZone, root: Path, before: Path | None = None, as_of: int | None = None) -> Trained:
    return train(history_in(zone), TrainingOptions(as_of=as_of, is_forced=True), root, before, lambda _: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained_in(NEW_YORK, tmp_path_factory.mktemp("artifacts"))


def test_the_artifact_ends_at_the_instant_of_the_local_midnight(trained: Trained) -> None:
    # The last order, 2024-04-29T00:00Z, is of April 28 in New York, where that day ends at 4:00 UTC.
    assert datetime.fromtimestamp(LAST, UTC).isoformat() == "2024-04-29T00:00:00+00:00"
    assert trained.manifest.as_of == "2024-04-29T04:00:00Z"
    assert trained.manifest.timezone == trained.report.timezone == "America/New_York"
    assert trained.report.windows["as_of"] == trained.manifest.as_of
    content = open_artifact(trained.folder).content
    assert read_segment_report(content.segments)["as_of_day"] == LAST // DAY
    assert content.activity.day.max() == LAST // DAY - 1


def test_windows_begin_at_local_midnights(trained: Trained) -> None:
    # From the evening of December 31 to April 29: three windows of 39 days. Before March 10, clocks in New York are
    # five hours behind UTC, then four.
    assert trained.report.windows["holdout_start"] == "2024-03-21T04:00:00Z"
    assert trained.report.windows["validation_start"] == "2024-02-11T05:00:00Z"


def test_an_as_of_leaves_out_what_was_ordered_on_that_local_day(tmp_path: Path) -> None:
    trained = trained_in(NEW_YORK, tmp_path, as_of=LAST - DAY)

    assert trained.manifest.as_of == "2024-04-28T04:00:00Z"
    content = open_artifact(trained.folder).content
    assert content.activity.day.max() == LAST // DAY - 2


def test_in_utc_neither_the_manifest_nor_its_name_says_a_zone(tmp_path: Path) -> None:
    trained = trained_in(DayZone(), tmp_path)

    assert "timezone" not in trained.manifest.to_document()
    assert open_artifact(trained.folder).manifest.timezone == "UTC"


def test_a_change_of_the_zone_keeps_the_snapshots_of_segments(trained: Trained, tmp_path: Path) -> None:
    first = trained_in(DayZone(), tmp_path, as_of=LAST - 30 * DAY)
    second = trained_in(DayZone(), tmp_path, first.folder)

    third = trained_in(NEW_YORK, tmp_path, second.folder)

    reports = [read_segment_report(open_artifact(each.folder).content.segments) for each in (first, second, third)]
    assert [report["as_of_day"] - LAST // DAY for report in reports] == [-30, 1, 0]
    assert [snapshot["as_of_day"] for snapshot in reports[2]["snapshots"]] == [LAST // DAY - 30]
    assert (open_artifact(third.folder).content.segments.since <= LAST // DAY).all()
