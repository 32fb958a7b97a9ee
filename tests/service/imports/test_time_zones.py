"""Files are read, and their days are judged, in the time zone of the business."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine
from typer.testing import CliRunner

from models.customers.activity import activity_of
from models.data.history import History
from models.data.sources.local import history_from_database
from service.base.settings import Settings
from service.cli import app, explain
from service.imports.arguments import read_file_options
from service.imports.importer import import_file
from service.rows.errors import InvalidImportOption
from service.rows.options import ImportOptions
from service.rows.order_options import OrderOptions, parse_order_options
from service.rows.summary import ImportSummary
from service.rows.value_formats import FormatOptions
from service.storage.database import create_database_engine
from service.training.file_history import HistoryFiles, history_from_files
from tests.service.imports.support import database_state, read_rejects, write_csv

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of rejected rows are written to the current folder."""
    monkeypatch.chdir(tmp_path)


def line(order_id: str, ordered_at: str, **changes: object) -> dict[str, object]:
    return {"order_id": order_id, "account_id": "a1", "product_id": "p1", "ordered_at": ordered_at, **changes}


def options_in(zone: str, orders: OrderOptions | None = None) -> ImportOptions:
    return ImportOptions(formats=FormatOptions(zone=ZoneInfo(zone)), orders=orders or OrderOptions())


def import_lines(
    engine: Engine, zone: str, rows: list[dict[str, object]], orders: OrderOptions | None = None
) -> ImportSummary:
    path = write_csv(Path("lines.csv"), rows)
    return import_file(engine, "orders", [path], options_in(zone, orders), clock=lambda: NOW)


def times(engine: Engine) -> dict[str, str]:
    return {order_id: time.isoformat() for order_id, _, time, *_ in database_state(engine)["orders"]}


def zone_of(**arguments: Any) -> str:
    return str(read_file_options("orders", **arguments).options.formats.zone)


def test_the_setting_is_the_default_of_the_option_and_of_mapping_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping, silent = tmp_path / "mapping.toml", tmp_path / "silent.toml"
    mapping.write_text('timezone = "Asia/Kolkata"\n')
    silent.write_text('decimal = ","\n')

    assert zone_of() == "UTC"
    monkeypatch.setenv("NEXTOFFER_TIMEZONE", NEW_YORK)
    assert zone_of() == NEW_YORK
    assert zone_of(mapping_file=silent) == NEW_YORK
    assert zone_of(preset="shopify") == NEW_YORK
    assert zone_of(mapping_file=mapping) == "Asia/Kolkata"
    assert zone_of(mapping_file=mapping, timezone=BERLIN) == BERLIN
    assert zone_of(timezone="UTC") == "UTC"


@pytest.mark.parametrize("name", ["Atlantis", "Europe", "../../etc/passwd", ""])
def test_an_unknown_time_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(timezone=name)

    message = explain(refused.value) or ""
    assert (
        message == "NEXTOFFER_TIMEZONE: there is no such time zone; write one such as Europe/Berlin or America/New_York"
    )


def test_an_unknown_time_zone_of_the_option_is_refused() -> None:
    with pytest.raises(InvalidImportOption, match="--timezone Atlantis: there is no such time zone"):
        zone_of(timezone="Atlantis")


def test_the_command_stores_local_times_as_instants(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("NEXTOFFER_TIMEZONE", BERLIN)
    rows = [line("date", "2025-03-01"), line("summer", "2025-07-01T00:30"), line("zulu", "2025-07-01T00:30Z")]

    result = CliRunner().invoke(app, ["import", "orders", str(write_csv(Path("lines.csv"), rows))])

    assert result.exit_code == 0, result.output
    engine = create_database_engine(sqlite_url)
    assert times(engine) == {
        "date": "2025-02-28T23:00:00+00:00",
        "summer": "2025-06-30T22:30:00+00:00",
        "zulu": "2025-07-01T00:30:00+00:00",
    }
    engine.dispose()


def test_rows_of_one_local_day_are_of_one_day(sqlite_engine: Engine) -> None:
    # In UTC, the first row of the order is of February 28. Rows that stand apart must be of one day.
    rows = [
        line("1", "2025-03-01T00:30"),
        line("2", "2025-03-01"),
        line("1", "2025-03-01T23:30", product_id="p2"),
    ]

    summary = import_lines(sqlite_engine, BERLIN, rows)

    assert (summary.rejected, summary.rows.new) == (0, 3)


def test_rows_of_two_local_days_are_of_two_orders(sqlite_engine: Engine) -> None:
    # In UTC, both are of February 28.
    rows = [
        line("1", "2025-02-28T22:00"),
        line("2", "2025-03-01"),
        line("1", "2025-03-01T00:30", product_id="p2"),
    ]

    import_lines(sqlite_engine, BERLIN, rows)

    [reject] = read_rejects(Path("lines.csv.rejects.csv"))
    assert reject["reason"].startswith("is 2025-03-01, but 2025-02-28 in an earlier row of the same order")


def test_a_stored_order_is_compared_by_its_local_day(engine: Engine) -> None:
    import_lines(engine, NEW_YORK, [line("1", "2025-03-01T20:30"), line("2", "2025-03-01T20:30")])

    summary = import_lines(engine, NEW_YORK, [line("1", "2025-03-01"), line("2", "2025-03-02")])

    assert summary.rejected == 1
    [reject] = read_rejects(Path("lines.csv.rejects.csv"))
    assert reject["line"] == "3"
    assert reject["reason"].startswith("is 2025-03-02, but 2025-03-01 in the database or an earlier file")


def test_an_order_of_an_earlier_file_of_a_training_is_compared_by_its_local_day(tmp_path: Path) -> None:
    first = write_csv(tmp_path / "first.csv", [line("1", "2025-03-01T20:30")])
    second = write_csv(tmp_path / "second.csv", [line("1", "2025-03-01", product_id="p2")])

    history = history_from_files(HistoryFiles([first, second]), options_in(NEW_YORK), now=NOW, timezone=NEW_YORK)

    assert history.interactions.n_lines == 2


def test_limits_and_messages_are_of_local_days(sqlite_engine: Engine) -> None:
    orders = parse_order_options(earliest="2025-03-01", latest="2025-03-02", zone=ZoneInfo(NEW_YORK))
    rows = [
        line("too early", "2025-02-28T23:59:59"),
        line("first", "2025-03-01"),
        line("last", "2025-03-02T23:59:59"),
        line("too late", "2025-03-03"),
    ]

    import_lines(sqlite_engine, NEW_YORK, rows, orders)

    assert set(times(sqlite_engine)) == {"first", "last"}
    early, late = (row["reason"] for row in read_rejects(Path("lines.csv.rejects.csv")))
    assert early.startswith("is 2025-02-28, before 2025-03-01;")
    assert late.startswith("is 2025-03-03, after the latest date accepted;")


def test_the_year_in_the_key_of_an_order_is_the_local_one(sqlite_engine: Engine) -> None:
    orders = parse_order_options(order_key="order_id,ordered_at:year")

    import_lines(sqlite_engine, BERLIN, [line("7", "2025-01-01"), line("7", "2024-01-01")], orders)

    assert set(times(sqlite_engine)) == {"7/2025", "7/2024"}


def test_an_open_deal_is_expected_to_close_on_the_local_day(sqlite_engine: Engine) -> None:
    path = write_csv(
        Path("deals.csv"),
        [{"deal_id": "d1", "account_id": "a1", "product_id": "p1", "stage": "Proposal", "closed_at": "2026-07-01"}],
    )

    import_file(sqlite_engine, "deals", [path], options_in(BERLIN), clock=lambda: NOW)

    with sqlite_engine.connect() as connection:
        assert str(connection.exec_driver_sql("SELECT expected_close FROM deals").scalar_one()) == "2026-07-01"


def activity_days(history: History) -> dict[str, list[str]]:
    activity = activity_of(history.interactions, history.products.margins_minor)
    ids = history.interactions.account_ids
    days: dict[str, list[str]] = {}
    for row, day in zip(activity.owner().tolist(), activity.day.astype("datetime64[D]").tolist(), strict=True):
        days.setdefault(ids[row], []).append(day.isoformat())
    return days


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (NEW_YORK, {"evening": ["2025-03-01"], "date": ["2025-07-01"], "clocks": ["2025-03-09", "2025-03-10"]}),
        (BERLIN, {"evening": ["2025-03-01"], "date": ["2025-07-01"], "clocks": ["2025-03-09", "2025-03-10"]}),
        ("UTC", {"evening": ["2025-03-01"], "date": ["2025-07-01"], "clocks": ["2025-03-09", "2025-03-10"]}),
    ],
)
def test_days_of_purchases_are_those_of_the_file_through_the_database_and_without(
    zone: str, expected: dict[str, list[str]], engine: Engine
) -> None:
    rows = [
        line("1", "2025-03-01T20:30:00", account_id="evening"),
        line("2", "2025-07-01", account_id="date"),
        line("3", "2025-03-09", account_id="clocks"),
        line("4", "2025-03-09T23:59:59", account_id="clocks"),
        line("5", "2025-03-10", account_id="clocks"),
    ]
    import_lines(engine, zone, rows)

    stored = history_from_database(engine.url.render_as_string(hide_password=False), timezone=zone)
    read = history_from_files(HistoryFiles([Path("lines.csv")]), options_in(zone), now=NOW, timezone=zone)

    assert activity_days(stored) == activity_days(read) == expected
    assert stored.fingerprint == read.fingerprint


def test_days_of_purchases_given_in_utc_are_those_of_the_business(engine: Engine) -> None:
    import_lines(engine, "UTC", [line("1", "2025-03-02T01:30:00Z")])

    stored = history_from_database(engine.url.render_as_string(hide_password=False), timezone=NEW_YORK)

    assert activity_days(stored) == {"a1": ["2025-03-01"]}
