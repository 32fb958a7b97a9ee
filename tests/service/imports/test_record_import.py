"""Importing files of accounts and products, on both databases."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.imports.importer import import_file
from service.rows.errors import MissingColumn, TooManyRejects, UnreadableFile
from service.rows.options import ImportOptions
from service.rows.summary import Counts
from tests.service.imports.support import (
    State,
    database_state,
    read_rejects,
    write_csv,
    write_ndjson,
    write_parquet,
)

MONDAY, TUESDAY = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)


def import_rows(engine: Engine, kind: str, rows: list[dict[str, Any]], **options: Any) -> State:
    import_file(engine, kind, [write_csv(Path("rows.csv"), rows)], ImportOptions(**options))
    return database_state(engine)


def test_products_are_described_with_money_in_minor_units(engine: Engine) -> None:
    row = {
        "product_id": "P",
        "line": "L",
        "category": "C",
        "family": "F",
        "tier": "2",
        "price": "12.5",
        "currency": "eur",
        "margin_minor": "300",
        "active": "no",
        "attributes": '{"colour": "red"}',
    }

    state = import_rows(engine, "products", [row])

    money, links, availability = (1250, "EUR", 300), (None, None), (None, None, None)
    expected = ("P", "P", "L", "C", "F", 2, *money, False, True, *links, *availability, '{"colour": "red"}', False)
    assert state["products"] == [expected]


def test_a_file_of_successors_in_a_circle_is_refused_row_by_row(engine: Engine) -> None:
    rows = [
        {"product_id": "A", "replaces": "B", "is_merchandise": "", "parent_product_id": ""},
        {"product_id": "B", "replaces": "C", "is_merchandise": "no", "parent_product_id": "P"},
        {"product_id": "C", "replaces": "A", "is_merchandise": "", "parent_product_id": ""},
    ]

    import_rows(engine, "products", rows)

    with engine.connect() as connection:
        query = text("SELECT product_id, replaces, is_merchandise, parent_product_id FROM products ORDER BY product_id")
        stored = [(i, replaced, bool(flag), parent) for i, replaced, flag, parent in connection.execute(query)]
    assert stored == [("A", "B", True, None), ("B", "C", False, "P")]


def test_accounts_take_columns_as_attributes(engine: Engine) -> None:
    rows = [{"account_id": "A", "name": "Acme", "parent": "H", "sector": "medical", "size": ""}]
    mapping = [("parent", "parent_account_id"), ("sector", "attributes.sector"), ("size", "attributes.size")]

    state = import_rows(engine, "accounts", rows, mapping=mapping)

    assert state["accounts"] == [("A", "Acme", "H", '{"sector": "medical"}', False, False)]


def test_one_column_may_fill_two_fields(engine: Engine) -> None:
    mapping = [("who", "account_id"), ("who", "name")]

    state = import_rows(engine, "accounts", [{"who": "Acme"}], mapping=mapping)

    assert state["accounts"][0][:2] == ("Acme", "Acme")


def test_parquet_attributes_keep_their_types(engine: Engine) -> None:
    row = {
        "account_id": 17850,
        "attributes": {"employees": 12, "rate": 0.5, "since": date(2020, 1, 1), "old": None},
    }
    path = write_parquet(Path("accounts.parquet"), [row])

    import_file(engine, "accounts", [path])

    account_id, *_, attributes, _, _ = database_state(engine)["accounts"][0]
    assert account_id == "17850"
    assert json.loads(attributes) == {"employees": 12, "rate": 0.5, "since": "2020-01-01", "old": None}


def test_the_same_file_twice_changes_nothing_and_keeps_the_time(engine: Engine) -> None:
    rows = [{"product_id": "p", "price": "1"}, {"product_id": "q", "price": "2"}, {"product_id": "p", "price": "3"}]
    path = write_csv(Path("products.csv"), rows)
    import_file(engine, "products", [path], ImportOptions(batch_rows=1), clock=lambda: MONDAY)
    before = database_state(engine, with_times=True)

    summary = import_file(engine, "products", [path], ImportOptions(batch_rows=1), clock=lambda: TUESDAY)

    assert database_state(engine, with_times=True) == before
    assert (summary.rows, summary.repeated) == (Counts(unchanged=2), 1)


def test_only_what_changed_gets_a_new_time(engine: Engine) -> None:
    for now, price in ((MONDAY, "1"), (TUESDAY, "2")):
        path = write_csv(Path("products.csv"), [{"product_id": "p", "price": price}, {"product_id": "q", "price": "5"}])
        summary = import_file(engine, "products", [path], clock=lambda now=now: now)  # type: ignore[misc]

    assert [row[-1] for row in database_state(engine, with_times=True)["products"]] == [TUESDAY, MONDAY]
    assert summary.rows == Counts(changed=1, unchanged=1)


def test_the_last_row_for_an_identifier_wins(engine: Engine) -> None:
    rows = [{"account_id": "A", "name": name} for name in ("first", "second", "last")]

    state = import_rows(engine, "accounts", rows, batch_rows=2)

    assert state["accounts"][0][1] == "last"


def test_a_rejected_last_row_leaves_the_one_before_it(engine: Engine) -> None:
    state = import_rows(engine, "products", [{"product_id": "p", "tier": "1"}, {"product_id": "p", "tier": "top"}])

    assert state["products"][0][5] == 1


def test_a_column_that_is_not_in_the_file_keeps_its_value_and_a_blank_one_clears_it(engine: Engine) -> None:
    import_rows(engine, "accounts", [{"account_id": "A", "name": "Acme", "parent_account_id": "H"}])

    state = import_rows(engine, "accounts", [{"account_id": "A", "name": ""}])

    assert state["accounts"][0][:3] == ("A", None, "H")


def test_describing_a_stub_fills_it(engine: Engine) -> None:
    order = {"order_id": "1", "account_id": "A", "product_id": "p", "ordered_at": "2024-01-01"}
    import_rows(engine, "orders", [order])
    import_rows(engine, "products", [{"product_id": "p", "name": "Pen"}])

    state = import_rows(engine, "accounts", [{"account_id": "A", "name": "Acme"}])

    assert [(row[1], row[-1]) for row in state["accounts"] + state["products"]] == [("Acme", False), ("Pen", False)]


def test_orders_after_a_description_do_not_make_it_a_stub_again(engine: Engine) -> None:
    import_rows(engine, "accounts", [{"account_id": "A", "name": "Acme"}])
    order = {"order_id": "1", "account_id": "A", "product_id": "p", "ordered_at": "2024-01-01"}

    state = import_rows(engine, "orders", [order])

    assert state["accounts"] == [("A", "Acme", None, "{}", False, False)]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"product_id": "", "name": "Nameless"}, "product_id", "is empty"),
        ({"tier": "1.5"}, "tier", "not a whole number"),
        ({"tier": str(2**31)}, "tier", "out of range"),
        ({"price": "free"}, "price", "is not a number"),
        ({"price": "inf"}, "price", "not a finite number"),
        ({"price": "1e14", "currency": "KWD"}, "", "price is more than"),
        ({"currency": "€"}, "currency", "three letters"),
        ({"active": "maybe"}, "active", "must be one of"),
        ({"attributes": "{"}, "attributes", "is not JSON"),
        ({"attributes": "[1]"}, "attributes", "must be an object"),
        ({"attributes": json.dumps({"a": {"b": {"c": {"d": {"e": {}}}}}})}, "attributes", "deeper than 5"),
        ({"attributes": json.dumps({"a": "x" * 17_000})}, "attributes", "longer than|larger than"),
        ({"attributes": '{"a": "\\u0000"}'}, "attributes", "NUL"),
        ({"name": "x" * 1001}, "name", "longer than 1000"),
    ],
)
def test_a_bad_product_is_rejected_alone(
    sqlite_engine: Engine, changes: dict[str, str], field: str, reason: str
) -> None:
    state = import_rows(sqlite_engine, "products", [{"product_id": "good"}, {"product_id": "bad", **changes}])

    assert [row[0] for row in state["products"]] == ["good"]
    rejected = read_rejects(Path("rows.csv.rejects.csv"))
    assert [(row["line"], row["field"]) for row in rejected] == [("3", field)]
    assert any(part in rejected[0]["reason"] for part in reason.split("|"))


def test_price_and_price_minor_exclude_each_other(engine: Engine) -> None:
    path = write_ndjson(Path("p.ndjson"), [{"product_id": "p", "price": 1, "price_minor": 100}])

    summary = import_file(engine, "products", [path])

    assert summary.rejected == 1
    assert "exclude each other" in read_rejects(Path("p.ndjson.rejects.csv"))[0]["reason"]


def test_too_many_rejects_leave_nothing_of_the_file(engine: Engine) -> None:
    rows = [{"product_id": "good", "name": "Good"}, *[{"product_id": "", "name": "Nameless"}] * 2]

    with pytest.raises(TooManyRejects):
        import_rows(engine, "products", rows, max_rejects=1, batch_rows=1)

    assert database_state(engine)["products"] == []


def test_what_precedes_a_broken_part_of_a_file_is_imported(engine: Engine) -> None:
    rows = [{"account_id": f"account {number} {number * 7919 % 10007}"} for number in range(20_000)]
    path = write_csv(Path("accounts.csv.gz"), rows)
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(UnreadableFile, match=r"accounts\.csv\.gz"):
        import_file(engine, "accounts", [path], ImportOptions(batch_rows=1000))

    assert 0 < len(database_state(engine)["accounts"]) < 20_000


def test_a_file_without_identifiers_is_refused(engine: Engine) -> None:
    with pytest.raises(MissingColumn, match="--map product=product_id"):
        import_rows(engine, "products", [{"product": "p"}])
