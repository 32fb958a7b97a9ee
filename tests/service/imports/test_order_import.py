"""Importing files of order lines, on both databases."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from service.imports.importer import import_file
from service.rows.conditions import parse_condition
from service.rows.errors import InvalidImportOption, MissingColumn, TooManyRejects, UnreadableFile
from service.rows.options import ImportOptions, MatchProducts
from service.rows.order_options import OrderOptions
from service.rows.summary import Counts
from tests.service.imports.support import State, database_state, read_rejects, write_csv, write_ndjson

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def line(**changes: object) -> dict[str, object]:
    return {"order_id": "o1", "account_id": "a1", "product_id": "p1", "ordered_at": "2024-02-29T12:00:00Z", **changes}


def import_lines(engine: Engine, rows: list[dict[str, object]], **options: Any) -> State:
    import_file(engine, "orders", [write_csv(Path("lines.csv"), rows)], ImportOptions(**options))
    return database_state(engine)


def describe_products(engine: Engine, *product_ids: str) -> None:
    import_file(engine, "products", [write_csv(Path("products.csv"), [{"product_id": each} for each in product_ids])])


def reasons(path: str = "lines.csv.rejects.csv") -> list[tuple[int, str, str]]:
    return [(int(row["line"]), row["field"], row["reason"]) for row in read_rejects(Path(path))]


def test_a_file_fills_orders_lines_and_stubs(engine: Engine) -> None:
    rows = [line(amount="12.34", currency="eur", quantity=1), line(product_id="p2", quantity=2, currency="EUR")]

    state = import_lines(engine, rows)

    assert [(row[0], row[-1]) for row in state["accounts"]] == [("a1", True)]
    assert [(row[0], row[1], row[-1]) for row in state["products"]] == [("p1", "p1", True), ("p2", "p2", True)]
    assert state["orders"] == [("o1", "a1", NOON, "EUR", False)]
    assert state["order_lines"] == [("o1", "p1", 0, 1.0, 1234), ("o1", "p2", 0, 2.0, None)]


def test_a_guests_order_has_no_account(engine: Engine) -> None:
    state = import_lines(engine, [line(account_id="")])

    assert state["accounts"] == []
    assert state["orders"] == [("o1", None, NOON, None, False)]


def test_the_same_file_twice_changes_nothing(engine: Engine) -> None:
    rows = [line(), line(), line(order_id="o2", quantity=-1, unit_price="2.50"), line(order_id="o3", account_id="")]
    path = write_csv(Path("lines.csv"), rows)
    import_file(engine, "orders", [path])
    before = database_state(engine, with_times=True)

    summary = import_file(engine, "orders", [path])

    assert database_state(engine, with_times=True) == before
    assert (summary.orders, summary.rows) == (Counts(unchanged=3), Counts(unchanged=4))
    assert (summary.account_stubs, summary.product_stubs) == (0, 0)


def test_a_changed_row_is_updated_and_counted(engine: Engine) -> None:
    import_lines(engine, [line(quantity=1), line(order_id="o2", quantity=1)])
    path = write_csv(Path("lines.csv"), [line(quantity=3, account_id="a2"), line(order_id="o2", quantity=1)])

    summary = import_file(engine, "orders", [path], ImportOptions(orders=OrderOptions(on_conflict="replace")))

    assert database_state(engine)["order_lines"] == [("o1", "p1", 0, 3.0, None), ("o2", "p1", 0, 1.0, None)]
    assert [row[:2] for row in database_state(engine)["orders"]] == [("o1", "a2"), ("o2", "a1")]
    assert summary.rows == Counts(changed=1, unchanged=1)
    assert summary.orders == Counts(changed=1, unchanged=1)


def test_repeats_of_a_product_within_an_order_are_counted_across_the_whole_file(engine: Engine) -> None:
    rows = [line(quantity=1), line(order_id="o2", quantity=2), line(quantity=3), line(quantity=4)]

    state = import_lines(engine, rows, batch_rows=1)

    assert [row[:4] for row in state["order_lines"]] == [
        ("o1", "p1", 0, 1.0),
        ("o1", "p1", 1, 3.0),
        ("o1", "p1", 2, 4.0),
        ("o2", "p1", 0, 2.0),
    ]


def test_a_cancelled_order_is_marked(engine: Engine) -> None:
    state = import_lines(engine, [line(status="Cancelled"), line(order_id="o2", status="")])

    assert [(row[0], row[4]) for row in state["orders"]] == [("o1", True), ("o2", False)]


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_a_row_that_contradicts_its_order_is_rejected(engine: Engine, batch_rows: int) -> None:
    rows = [
        line(currency="EUR", status="placed"),
        line(order_id="o2", currency="EUR", status="placed"),
        line(account_id="a2", currency="EUR", status="placed"),
        line(account_id="", currency="EUR", status="placed"),
        line(currency="USD", status="placed"),
        line(currency="EUR", status="cancelled"),
    ]

    state = import_lines(engine, rows, batch_rows=batch_rows)

    assert [row[:3] for row in state["order_lines"]] == [("o1", "p1", 0), ("o1", "p1", 1), ("o2", "p1", 0)]
    assert [(line, field) for line, field, _ in reasons()] == [(4, "account_id"), (6, "currency"), (7, "status")]
    assert all("an earlier row of the same order" in reason for *_, reason in reasons())


def test_a_rejected_first_row_does_not_decide_the_header(engine: Engine) -> None:
    state = import_lines(engine, [line(account_id="wrong", quantity="many"), line(account_id="right", quantity=1)])

    assert state["orders"][0][:2] == ("o1", "right")


def test_each_bad_row_is_rejected_with_its_line_field_and_reason_and_the_good_go_in(engine: Engine) -> None:
    rows = [
        line(),
        line(product_id=" "),
        line(ordered_at="at noon"),
        line(quantity="nan"),
        line(amount="12;50"),
        line(amount="1", unit_price="1"),
        line(order_id="x" * 201),
        line(currency="Euro", status="sold"),
        line(account_id="bad\0id"),
        line(amount="1e300"),
        line(product_id="last"),
    ]

    state = import_lines(engine, rows)

    assert [row[1] for row in state["order_lines"]] == ["last", "p1"]
    rejected = reasons()
    assert [(line, field) for line, field, _ in rejected] == [
        (3, "product_id"),
        (4, "ordered_at"),
        (5, "quantity"),
        (6, "amount"),
        (7, "unit_price"),
        (8, "order_id"),
        (9, "currency"),
        (10, "account_id"),
        (11, "amount"),
    ]
    assert rejected[0][2] == "is empty"
    assert "status must be placed or cancelled" in rejected[6][2]
    assert read_rejects(Path("lines.csv.rejects.csv"))[0]["file"] == "lines.csv"


def test_all_rejected_rows_leave_an_empty_database(engine: Engine) -> None:
    state = import_lines(engine, [line(quantity="none"), line(quantity="few")])

    assert state == {"accounts": [], "products": [], "orders": [], "order_lines": [], "deals": [], "deal_lines": []}


def test_no_rejects_file_is_made_without_rejects(engine: Engine) -> None:
    import_lines(engine, [line()])

    assert not Path("lines.csv.rejects.csv").exists()


def test_too_many_rejects_stop_before_the_batch_in_hand_is_written(engine: Engine) -> None:
    good = [line(order_id=f"good{number}") for number in range(4)]
    bad = [line(order_id=f"bad{number}", quantity="x") for number in range(4)]

    with pytest.raises(TooManyRejects, match="More than 2 rows") as stopped:
        import_lines(engine, [*good, *bad, *good], max_rejects=2, batch_rows=4)

    # The last order of a batch waits for the next, in case it goes on there.
    assert [row[0] for row in database_state(engine)["orders"]] == ["good0", "good1", "good2"]
    assert stopped.value.summary.orders.new == 3
    assert len(reasons()) == stopped.value.summary.rejected == 3


def test_as_many_rejects_as_allowed_do_not_stop(engine: Engine) -> None:
    state = import_lines(engine, [line(), line(quantity="x"), line(quantity="y")], max_rejects=2)

    assert len(state["order_lines"]) == 1


def test_a_missing_column_is_one_error_that_suggests_a_mapping_before_anything_is_written(engine: Engine) -> None:
    good = write_csv(Path("good.csv"), [line()])
    bad = write_csv(Path("bad.csv"), [{"order_nr": "1", "product": "p", "qty": "2", "when": "2024-01-01"}])

    with pytest.raises(MissingColumn, match="no column for order_id, product_id, ordered_at") as raised:
        import_file(engine, "orders", [good, bad])

    assert "order_nr, product, qty, when" in str(raised.value)
    assert "--map order_nr=order_id --map product=product_id" in str(raised.value)
    assert "for ordered_at, no column has a similar name" in str(raised.value)
    assert database_state(engine)["orders"] == []


def test_columns_are_mapped_and_the_others_are_named_as_ignored(engine: Engine) -> None:
    path = write_csv(Path("lines.csv"), [{"nr": "1", "sku": "p", "day": "2024-02-29", "colour": "red"}])
    mapping = [("nr", "order_id"), ("sku", "product_id"), ("day", "ordered_at")]

    summary = import_file(engine, "orders", [path], ImportOptions(mapping=mapping))

    assert database_state(engine)["orders"][0][2] == datetime(2024, 2, 29, tzinfo=UTC)
    assert summary.ignored_columns == {path: ["colour"]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([("ordr_id", "order_id")], "Did you mean order_id?"),
        ([("order_id", "number")], "there is no field number"),
        ([("order_id", "product_id"), ("account_id", "product_id")], "both order_id and account_id"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(engine: Engine, mapping: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(InvalidImportOption) as raised:
        import_lines(engine, [line()], mapping=mapping)

    assert message in str(raised.value)


def test_where_skips_rows_and_counts_them(engine: Engine) -> None:
    stages = ["Won", "Lost", "Won", ""]
    rows = [line(order_id=f"o{number}", stage=stage) for number, stage in enumerate(stages)]
    path = write_csv(Path("lines.csv"), rows)

    for text, kept in (("stage=Won", 2), ("stage!=Won", 2), ("stage~^[WL]", 3), ("stage!~o", 1)):
        summary = import_file(engine, "orders", [path], ImportOptions(where=[parse_condition(text)]))

        assert (summary.rows.new + summary.rows.unchanged, summary.skipped) == (kept, 4 - kept)


def test_a_misspelt_product_is_read_as_the_one_described_product_it_resembles(engine: Engine) -> None:
    describe_products(engine, "GTX Pro", "GTX Basic")
    rows = [line(product_id="GTXPro"), line(product_id="gtx pro"), line(product_id="GTX Plus")]
    options = ImportOptions(match_products="names")

    summary = import_file(engine, "orders", [write_csv(Path("lines.csv"), rows)], options)

    stored = [row[1:3] for row in database_state(engine)["order_lines"]]
    assert stored == [("GTX Plus", 0), ("GTX Pro", 0), ("GTX Pro", 1)]
    assert summary.matched == {("GTXPro", "GTX Pro"): 1, ("gtx pro", "GTX Pro"): 1}
    assert summary.product_stubs == 1


@pytest.mark.parametrize("match", ["exactly", "names"])
def test_identifiers_that_differ_in_punctuation_are_different_products(engine: Engine, match: MatchProducts) -> None:
    described, ordered = ("PRO", "90.750", "C", "1-12"), ["PRO+", "90750", "C#", "C++", "11-2"]
    describe_products(engine, *described)

    state = import_lines(engine, [line(product_id=each) for each in ordered], match_products=match)

    assert sorted(row[1] for row in state["order_lines"]) == sorted(ordered)


def test_an_identifier_is_never_matched_unless_it_is_asked_for(engine: Engine) -> None:
    describe_products(engine, "GTX Pro")

    state = import_lines(engine, [line(product_id="GTXPro")])

    assert [row[1] for row in state["order_lines"]] == ["GTXPro"]


def test_an_unknown_product_that_resembles_two_is_added(engine: Engine) -> None:
    describe_products(engine, "GTX Pro", "gtx pro")

    state = import_lines(engine, [line(product_id="GTXPro")], match_products="names")

    assert [row[1] for row in state["order_lines"]] == ["GTXPro"]


def test_stubs_are_never_matched_since_a_lines_meaning_must_not_depend_on_those_before(engine: Engine) -> None:
    state = import_lines(engine, [line(product_id="85123A"), line(product_id="85123a")], batch_rows=1)

    assert [row[1] for row in state["order_lines"]] == ["85123A", "85123a"]


def test_unknown_products_may_all_be_added(engine: Engine) -> None:
    describe_products(engine, "GTX Pro")

    state = import_lines(engine, [line(product_id="GTXPro")], unknown_products="add")

    assert [row[1] for row in state["order_lines"]] == ["GTXPro"]


def test_unknown_products_may_be_rejected_with_a_suggestion(engine: Engine) -> None:
    describe_products(engine, "GTX Pro")

    state = import_lines(engine, [line(product_id="GTXPro"), line(product_id="zzz")], unknown_products="reject")

    assert state["orders"] == []
    assert reasons() == [
        (2, "product_id", "is an unknown product: 'GTXPro'; did you mean 'GTX Pro'?"),
        (3, "product_id", "is an unknown product: 'zzz'"),
    ]


def test_a_stub_takes_the_last_name_that_lines_give_it_and_a_described_product_keeps_its_own(engine: Engine) -> None:
    describe_products(engine, "known")
    rows = [
        line(product_name="first"),
        line(product_name=""),
        line(product_name="last"),
        line(product_id="known", product_name="other"),
    ]

    state = import_lines(engine, rows, batch_rows=1)

    assert [row[:2] for row in state["products"]] == [("known", "known"), ("p1", "last")]


def test_money_is_exact_in_each_currency(engine: Engine) -> None:
    rows = [
        line(order_id="cents", amount="0.145", currency="EUR"),
        line(order_id="even", amount="0.135", currency="EUR"),
        line(order_id="dinar", amount="1.2345", currency="KWD"),
        line(order_id="minor", amount_minor="1234", currency="JPY"),
        line(order_id="none", currency="EUR"),
        line(order_id="return", quantity="-3", unit_price="0.10", currency="EUR"),
        line(order_id="unsigned", quantity="-1", amount="5", currency="EUR"),
        line(order_id="yen", amount="1234", currency="JPY"),
    ]

    state = import_lines(engine, rows)

    amounts = {row[0]: row[4] for row in state["order_lines"]}
    assert amounts == {
        "cents": 14,  # 14.5 and 13.5 both go to the even 14
        "even": 14,
        "dinar": 1234,  # 1234.5 goes to the even 1234
        "minor": 1234,
        "none": None,
        "return": -30,
        "unsigned": -500,
        "yen": 1234,
    }


def test_a_default_currency_fills_what_a_row_leaves_out(engine: Engine) -> None:
    state = import_lines(engine, [line(amount="5")], default_currency="JPY")

    assert (state["orders"][0][3], state["order_lines"][0][4]) == ("JPY", 5)


def test_a_truncated_gzip_names_the_file_and_leaves_whole_orders(engine: Engine) -> None:
    rows = [line(order_id=f"o{number // 2}", product_id=f"p{number % 2}") for number in range(20_000)]
    path = write_csv(Path("lines.csv.gz"), rows)
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(UnreadableFile, match=r"lines\.csv\.gz, after line .*cut off before its end"):
        import_file(engine, "orders", [path], ImportOptions(batch_rows=1001))

    state = database_state(engine)
    assert 0 < len(state["orders"]) < 10_000
    assert len(state["order_lines"]) == 2 * len(state["orders"])


def test_a_corrupt_parquet_file_is_named(engine: Engine) -> None:
    path = Path("lines.parquet")
    path.write_bytes(b"PAR1 and then nothing that makes sense")

    with pytest.raises(UnreadableFile, match=r"lines\.parquet: "):
        import_file(engine, "orders", [path])


def test_several_files_go_into_one_rejects_file_if_asked(engine: Engine) -> None:
    paths = [write_ndjson(Path(f"{name}.ndjson"), [line(), line(quantity="x")]) for name in ("a", "b")]

    summary = import_file(engine, "orders", paths, ImportOptions(rejects=Path("bad.csv")))

    assert [(row["file"], row["line"]) for row in read_rejects(Path("bad.csv"))] == [
        ("a.ndjson", "2"),
        ("b.ndjson", "2"),
    ]
    assert (summary.rejected, summary.rejects_files) == (2, [Path("bad.csv")])


def test_a_rejects_file_never_overwrites_an_input(engine: Engine) -> None:
    with pytest.raises(InvalidImportOption, match="it is a file to import"):
        import_lines(engine, [line(quantity="x")], rejects=Path("lines.csv"))

    assert Path("lines.csv").read_text().startswith("order_id")


def test_a_dry_run_of_several_batches_says_what_the_import_does(engine: Engine) -> None:
    rows = [line(), line(order_id="o2", product_id="p2"), line(order_id="o3"), line(order_id="o1", product_id="p2")]
    paths = [write_csv(Path("lines.csv"), rows), write_csv(Path("more.csv"), [line(order_id="o4", account_id="a2")])]

    dry = import_file(engine, "orders", paths, ImportOptions(is_dry_run=True, batch_rows=1))
    after_dry_run = database_state(engine)
    real = import_file(engine, "orders", paths, ImportOptions(batch_rows=1))

    assert not any(after_dry_run.values())
    assert (dry.orders, dry.rows) == (real.orders, real.rows)
    assert (dry.account_stubs, dry.product_stubs) == (real.account_stubs, real.product_stubs) == (2, 2)
