"""What a deal's stage and flags mean."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.deals.stages import contradicts, status_of
from service.imports.importer import import_file
from tests.service.deals.conftest import deal
from tests.service.imports.support import database_state, read_rejects, write_csv

NOW = datetime(2024, 6, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        *((stage, "won") for stage in ("Won", "WON", "closed won", "Closed-Won", "closedwon", "Closed / Won")),
        *((stage, "won") for stage in ("6 - Closed Won", "Closed Won (100 %)", "Won - Closed")),
        *((stage, "lost") for stage in ("lost", "Closed Lost", "CLOSED_LOST", "Closed-Lost to Competition")),
        *(
            (stage, "open")
            for stage in ("Prospecting", "Negotiation/Review", "appointmentscheduled", "Id. Decision Makers")
        ),
    ],
)
def test_a_known_stage_says_what_became_of_a_deal_whatever_its_close_date(stage: str, status: str) -> None:
    statuses = {status_of(stage, None, None, closed_at, None, NOW) for closed_at in (None, PAST, FUTURE)}

    assert statuses == {status}


def test_an_unknown_stage_is_open_unless_the_deal_closed_already() -> None:
    statuses = [status_of("Signature", None, None, closed_at, None, NOW) for closed_at in (None, FUTURE)]

    assert statuses == ["open", "open"]
    with pytest.raises(ValueError, match=r'closed on 2024-05-31.*--map-value stage:"Signature"=won'):
        status_of("Signature", None, None, PAST, None, NOW)


@pytest.mark.parametrize("stage", ["Closed", "Not lost", "Won back", "Closed - paid"])
def test_an_unknown_stage_that_speaks_of_an_end_is_refused(stage: str) -> None:
    with pytest.raises(ValueError, match=f'--map-value stage:"{stage}"=won'):
        status_of(stage, None, None, None, None, NOW)


def test_a_mapped_stage_counts_before_the_known_ones() -> None:
    assert status_of("Signed", None, None, PAST, {"signed": "won"}, NOW) == "won"
    assert status_of("Canceled", None, None, PAST, {"canceled": "open"}, NOW) == "open"


@pytest.mark.parametrize(
    ("is_won", "is_closed", "stage", "status"),
    [
        (True, None, "Demo", "won"),
        (True, True, "Lost", "won"),
        (False, True, "Won", "lost"),
        (False, False, "Won", "open"),
        (None, False, "Closed Lost", "open"),
        (None, True, "Won", "won"),
        (False, None, "Lost", "lost"),
        (False, None, "Demo", "open"),
    ],
)
def test_flags_decide_before_the_stage(is_won: bool | None, is_closed: bool | None, stage: str, status: str) -> None:
    assert status_of(stage, is_won, is_closed, PAST, None, NOW) == status


@pytest.mark.parametrize(
    ("is_won", "is_closed", "stage"),
    [(True, False, "Won"), (None, True, "Demo"), (None, True, "Signed"), (False, None, "Won"), (False, None, "Signed")],
)
def test_flags_that_leave_the_status_uncertain_are_refused(is_won: bool, is_closed: bool, stage: str) -> None:
    with pytest.raises(ValueError, match=r"is_won|is_closed"):
        status_of(stage, is_won, is_closed, None, None, NOW)


def test_only_a_known_stage_contradicts_a_status() -> None:
    assert [contradicts(stage, "lost") for stage in ("Won", "Lost", "Signed")] == [True, False, False]


def test_a_file_says_where_flags_and_stages_differ_and_which_stage_to_map(engine: Engine) -> None:
    rows = [
        deal("1", "Closed Won", closed_at="2024-01-02", is_won="0", is_closed="1"),
        deal("2", "Signed", closed_at="2024-01-02", is_won="", is_closed=""),
        deal("3", "Signed", closed_at="2024-01-02", is_won="True", is_closed="True"),
    ]

    summary = import_file(engine, "deals", [write_csv(Path("deals.csv"), rows)])

    rejected = read_rejects(Path("deals.csv.rejects.csv"))
    assert [row[3] for row in database_state(engine)["deals"]] == ["lost", "won"]
    assert [note for note in summary.notes if "stage means something else" in note and note.startswith("1 ")]
    assert [(row["line"], row["field"]) for row in rejected] == [("3", "stage")]
    assert '--map-value stage:"Signed"=won' in rejected[0]["reason"]
