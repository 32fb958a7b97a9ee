"""What an import of orders refuses or corrects since it can't be meant: dates, reused numbers, placeholders."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from service.imports.importer import import_file
from service.imports.report import summary_lines
from service.rows.conditions import parse_condition
from service.rows.errors import InvalidImportOption
from service.rows.options import ImportOptions
from service.rows.order_options import OrderOptions, parse_order_options
from service.rows.summary import ImportSummary
from tests.service.imports.support import database_state, read_rejects, write_csv

TODAY = datetime(2026, 6, 1, tzinfo=UTC)


def line(order_id: str, **changes: object) -> dict[str, object]:
    return {"order_id": order_id, "account_id": "a1", "product_id": "p1", "ordered_at": "2025-01-05", **changes}


def import_lines(
    engine: Engine, rows: list[dict[str, object]], orders: OrderOptions | None = None, **options: Any
) -> ImportSummary:
    path = write_csv(Path("lines.csv"), rows)
    chosen = ImportOptions(orders=orders or OrderOptions(), **options)
    return import_file(engine, "orders", [path], chosen, clock=lambda: TODAY)


def stored_orders(engine: Engine) -> list[tuple[Any, ...]]:
    return [
        (order_id, account_id, time.date().isoformat())
        for order_id, account_id, time, *_ in database_state(engine)["orders"]
    ]


def stored_lines(engine: Engine) -> list[tuple[str, str]]:
    return [row[:2] for row in database_state(engine)["order_lines"]]


def reasons() -> list[tuple[int, str, str]]:
    return [(int(row["line"]), row["field"], row["reason"]) for row in read_rejects(Path("lines.csv.rejects.csv"))]


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["2099-01-01", "2026-06-03", "1970-01-01", "1900-01-01"])
def test_a_date_in_the_future_or_of_no_meaning_is_refused_with_the_option_that_accepts_it(
    sqlite_engine: Engine, day: str
) -> None:
    import_lines(sqlite_engine, [line("good"), line("bad", ordered_at=day)])

    assert [row[0] for row in stored_orders(sqlite_engine)] == ["good"]
    [(number, field, reason)] = reasons()
    assert (number, field) == (3, "ordered_at")
    assert day in reason
    assert f"{'--latest' if day > '2026' else '--earliest'} {day}" in reason


def test_dates_are_accepted_where_the_caller_says_so(sqlite_engine: Engine) -> None:
    options = parse_order_options(earliest="1970-01-01", latest="2099-01-01")

    import_lines(
        sqlite_engine, [line("future", ordered_at="2099-01-01T12:00"), line("old", ordered_at="1970-01-01")], options
    )

    assert [row[0] for row in stored_orders(sqlite_engine)] == ["future", "old"]


def test_tomorrow_is_accepted_since_clocks_differ(sqlite_engine: Engine) -> None:
    import_lines(sqlite_engine, [line("tomorrow", ordered_at="2026-06-02T10:00:00")])

    assert len(stored_orders(sqlite_engine)) == 1


def test_a_date_decades_from_all_others_is_refused(sqlite_engine: Engine) -> None:
    rows = [line(f"o{number}", ordered_at=f"2025-01-{number + 1:02}") for number in range(10)]

    import_lines(sqlite_engine, [*rows, line("mistyped", ordered_at="2005-01-05")])

    assert "mistyped" not in [row[0] for row in stored_orders(sqlite_engine)]
    assert "--earliest 2005-01-05" in reasons()[0][2]


def test_a_file_of_one_old_order_is_compared_with_what_is_stored(engine: Engine) -> None:
    import_lines(engine, [line(f"o{number}") for number in range(10)])

    import_lines(engine, [line("mistyped", ordered_at="2005-01-05")])

    assert "mistyped" not in [row[0] for row in stored_orders(engine)]


def test_history_that_really_is_old_goes_in_without_options(sqlite_engine: Engine) -> None:
    rows = [line(f"o{number}", ordered_at=f"{1990 + number}-07-01") for number in range(35)]

    import_lines(sqlite_engine, rows, batch_rows=1)

    assert len(stored_orders(sqlite_engine)) == 35


def test_lines_of_one_order_on_different_days_are_reported_and_the_first_gives_the_date(sqlite_engine: Engine) -> None:
    rows = [
        line("o1"),
        line("o1", ordered_at="2025-01-08", product_id="p2"),
        line("o2"),
        line("o2", ordered_at="2025-01-05T20:00"),
    ]

    summary = import_lines(sqlite_engine, rows)

    assert stored_orders(sqlite_engine) == [("o1", "a1", "2025-01-05"), ("o2", "a1", "2025-01-05")]
    [note] = [text for text in summary_lines(summary) if "another day" in text]
    assert note.startswith("1 order lines are of another day than the first line of their order")
    assert note.endswith("such as order o1: 2025-01-05 and 2025-01-08")


# --- reused numbers ---------------------------------------------------------------------------------------------------

RECEIPTS = [
    line("1", account_id="", product_id="bread"),
    line("1", account_id="", product_id="milk"),
    line("2", account_id="", product_id="jam"),
    line("1", account_id="", product_id="nails", ordered_at="2025-01-06"),
    line("1", account_id="", product_id="hammer", ordered_at="2025-06-07"),
]


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_a_number_that_comes_back_on_another_day_is_refused_with_both_days(
    sqlite_engine: Engine, batch_rows: int
) -> None:
    import_lines(sqlite_engine, RECEIPTS, batch_rows=batch_rows)

    assert stored_lines(sqlite_engine) == [("1", "bread"), ("1", "milk"), ("2", "jam")]
    assert [row[:2] for row in reasons()] == [(5, "ordered_at"), (6, "ordered_at")]
    assert all("2025-01-05" in reason and "--order-key" in reason for *_, reason in reasons())


def test_columns_together_tell_orders_of_one_number_apart(sqlite_engine: Engine) -> None:
    rows = [{**row, "shop": "A/B" if number < 3 else "A"} for number, row in enumerate(RECEIPTS)]

    import_lines(sqlite_engine, rows, parse_order_options(order_key="shop,order_id,ordered_at:day", order_prefix="x-"))

    assert [row[0] for row in stored_orders(sqlite_engine)] == [
        "x-A%2FB/1/2025-01-05", "x-A%2FB/2/2025-01-05", "x-A/1/2025-01-06", "x-A/1/2025-06-07",
    ]  # fmt: skip


def test_a_part_of_a_date_in_the_order_key_is_read_as_the_file_writes_dates(sqlite_engine: Engine) -> None:
    days = ["31.12.2024", "02.01.2025"]
    rows = [line("7", product_id=f"p{number}", ordered_at=day) for number, day in enumerate(days)]

    import_lines(sqlite_engine, rows, parse_order_options(order_key="order_id,ordered_at:month"))

    assert stored_lines(sqlite_engine) == [("7/2024-12", "p0"), ("7/2025-01", "p1")]


def test_the_order_key_may_replace_the_order_number(sqlite_engine: Engine) -> None:
    rows: list[dict[str, object]] = [{"till": "7", "receipt": "1", "product_id": "p", "ordered_at": "2025-01-05"}]

    import_lines(sqlite_engine, rows, parse_order_options(order_key="till,receipt"))

    assert stored_lines(sqlite_engine) == [("7/1", "p")]


def test_an_order_key_of_unknown_columns_is_refused(sqlite_engine: Engine) -> None:
    with pytest.raises(InvalidImportOption, match="no column shopp"):
        import_lines(sqlite_engine, [line("1", shop="A")], parse_order_options(order_key="shopp,order_id"))


@pytest.mark.parametrize("change", [{"account_id": "a2"}, {"ordered_at": "2025-01-06"}])
def test_an_order_that_contradicts_the_stored_one_is_refused_replaced_or_left_out(
    engine: Engine, change: dict[str, object]
) -> None:
    [(field, value)] = change.items()
    import_lines(engine, [line("o1")])
    before = stored_orders(engine)

    refused = import_lines(engine, [line("o1", **change), line("o2")])
    [(_, refused_field, reason)] = reasons()
    kept = import_lines(engine, [line("o1", **change, product_id="p9")], OrderOptions(on_conflict="keep"))
    after_keeping = stored_orders(engine)[:1]
    import_lines(engine, [line("o1", **change)], OrderOptions(on_conflict="replace"))

    assert (refused.rejected, refused_field) == (1, field)
    assert str(value) in reason
    assert (str(before[0][1]) if field == "account_id" else before[0][2]) in reason
    assert after_keeping == before
    assert kept.rejected == 0
    assert any("--on-conflict keep" in text for text in summary_lines(kept))
    assert value in stored_orders(engine)[0]
    assert stored_lines(engine)[0] == ("o1", "p1")


def test_another_time_of_the_day_and_an_account_for_a_guests_order_are_no_contradictions(engine: Engine) -> None:
    import_lines(engine, [line("o1", account_id=""), line("o2")])

    summary = import_lines(engine, [line("o1", ordered_at="2025-01-05T18:00"), line("o2", account_id="")])

    assert summary.rejected == 0
    assert stored_orders(engine) == [("o1", "a1", "2025-01-05"), ("o2", "a1", "2025-01-05")]


# --- guests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["0", "000", "Guest", " N/A ", "-", "NULL", "none", "Unknown", "00000000-0000-0000-0000-000000000000"]
)
def test_a_placeholder_is_a_guest_and_counted(sqlite_engine: Engine, value: str) -> None:
    summary = import_lines(sqlite_engine, [line("o1", account_id=value), line("o2", account_id="a0")])

    assert [row[1] for row in stored_orders(sqlite_engine)] == [None, "a0"]
    assert f"1 order lines of account {value.strip()!r} were read as guests'" in summary_lines(summary)


def test_the_list_of_placeholders_is_replaced_extended_or_switched_off(sqlite_engine: Engine) -> None:
    rows = [line("o1", account_id="0"), line("o2", account_id="WEB")]
    read = []
    for number, options in enumerate(
        ({"guest_values": "web"}, {"guest_values": "+web"}, {"keep_account_values": True})
    ):
        chosen = parse_order_options(order_prefix=f"{number}-", **options)  # type: ignore[arg-type]
        import_lines(sqlite_engine, rows, chosen)
        read.append([row[1] for row in stored_orders(sqlite_engine)[-2:]])

    assert read == [["0", None], [None, None], ["0", "WEB"]]


def test_an_account_that_orders_improbably_often_is_named(sqlite_engine: Engine) -> None:
    rows = [line(f"o{number}", account_id="walk-in" if number % 3 else f"a{number}") for number in range(150)]

    summary = import_lines(sqlite_engine, rows)

    [warning] = [text for text in summary_lines(summary) if "walk-in" in text]
    assert warning.startswith("WARNING: 100 of 150 orders")
    assert "--guest-values +walk-in" in warning


@pytest.mark.parametrize("kind", ["accounts", "deals"])
def test_a_placeholder_is_refused_as_the_identifier_of_an_account(sqlite_engine: Engine, kind: str) -> None:
    rows = [{"deal_id": name, "account_id": name, "product_id": "p", "stage": "Lead"} for name in ("0", "a1")]

    summary = import_file(sqlite_engine, kind, [write_csv(Path("lines.csv"), rows)])

    assert (summary.rejected, summary.rows.new) == (1, 1)
    assert "--keep-account-values" in reasons()[0][2]


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_condition_on_what_only_the_first_row_has_holds_for_the_whole_order(
    sqlite_engine: Engine, batch_rows: int
) -> None:
    paid = {"o1": "paid", "o2": "refunded", "o3": "paid"}
    rows = [
        line(order_id, product_id=f"p{number}", state="" if number else state)
        for order_id, state in paid.items()
        for number in range(3)
    ]

    summary = import_lines(sqlite_engine, rows, where=[parse_condition("state=paid")], batch_rows=batch_rows)

    assert stored_lines(sqlite_engine) == [(order, f"p{number}") for order in ("o1", "o3") for number in range(3)]
    assert summary.skipped == 3


def test_a_condition_on_what_rows_of_an_order_differ_in_holds_for_each_row(sqlite_engine: Engine) -> None:
    gifts = ["yes", "", "", "yes", "", "yes"]
    rows = [line(f"o{number // 2}", product_id=f"p{number}", gift=gift) for number, gift in enumerate(gifts)]

    import_lines(sqlite_engine, rows, where=[parse_condition("gift!=yes")])

    assert [product for _, product in stored_lines(sqlite_engine)] == ["p1", "p2", "p4"]


@pytest.mark.parametrize("account", ["(not set)", "NA", "N.A.", "\\N", "<NA>", "0.0", "Guest Checkout", "(Blank)"])
def test_what_systems_write_for_no_account_is_a_guest(sqlite_engine: Engine, account: str) -> None:
    import_lines(sqlite_engine, [line("o1", account_id=account)])

    assert database_state(sqlite_engine)["accounts"] == []
