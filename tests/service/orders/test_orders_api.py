"""Orders over HTTP, on both databases."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.imports.importer import import_file
from service.rows.options import ImportOptions
from tests.service.imports.support import database_state, read_rejects, results, write_csv, write_ndjson


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    named = [{"product_id": "p", **line} for line in lines] or [{"product_id": "p"}]
    return {"order_id": "o", "account_id": "A", "ordered_at": "2024-02-29T12:00:00Z", "lines": named, **changes}


def statuses(outcomes: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in outcomes]


def test_an_order_is_stored_with_stubs_for_what_it_names(api: TestClient, engine: Engine) -> None:
    posted = order({"quantity": 2, "amount": "1.50"}, {"quantity": 1}, currency="EUR")

    outcomes = results(api, "/v1/orders", [posted])

    state = database_state(engine)
    assert statuses(outcomes) == ["created"]
    assert state["order_lines"] == [("o", "p", 0, 2.0, 150), ("o", "p", 1, 1.0, None)]
    assert (state["accounts"][0][-1], state["products"][0][-1], state["orders"][0][3]) == (True, True, "EUR")


def test_an_order_again_is_unchanged_and_a_new_version_replaces_all_lines(api: TestClient, engine: Engine) -> None:
    results(api, "/v1/orders", [order({"product_id": "p"}, {"product_id": "q"})])
    changed = order({"product_id": "q", "quantity": 5}, {"product_id": "r"}, account_id=None)

    outcomes = results(api, "/v1/orders", [order({"product_id": "p"}, {"product_id": "q"}), changed, changed])

    state = database_state(engine)
    assert statuses(outcomes) == ["unchanged", "updated", "unchanged"]
    assert state["order_lines"] == [("o", "q", 0, 5.0, None), ("o", "r", 0, 1.0, None)]
    assert state["orders"][0][1] is None


def test_a_date_in_the_future_or_of_no_meaning_is_rejected_unless_it_is_accepted(
    sqlite_api: TestClient, sqlite_engine: Engine
) -> None:
    rows = [order(order_id="late", ordered_at="2199-01-01"), order(order_id="old", ordered_at="1970-01-01T12:00:00Z")]

    rejected = results(sqlite_api, "/v1/orders", rows)
    accepted = results(sqlite_api, "/v1/orders", rows, earliest="1970-01-01", latest="2199-01-01")

    assert statuses(rejected) == ["rejected", "rejected"]
    assert [result["errors"][0]["field"] for result in rejected] == ["ordered_at", "ordered_at"]
    assert "latest=2199-01-01" in rejected[0]["errors"][0]["reason"]
    assert "earliest=1970-01-01" in rejected[1]["errors"][0]["reason"]
    assert statuses(accepted) == ["created", "created"]


def test_a_placeholder_is_a_guest_unless_it_is_kept(sqlite_api: TestClient, sqlite_engine: Engine) -> None:
    results(sqlite_api, "/v1/orders", [order(order_id="1", account_id="0"), order(order_id="2", account_id="N/A")])
    results(sqlite_api, "/v1/orders", [order(order_id="3", account_id="0")], keep_account_values="true")

    assert [row[1] for row in database_state(sqlite_engine)["orders"]] == [None, None, "0"]


def test_good_orders_are_stored_beside_bad_ones(api: TestClient, engine: Engine) -> None:
    rows = [
        order(order_id="good"),
        order({"amount": "1", "unit_price": "1"}, order_id="two amounts"),
        order({}, {"quantity": 1, "amount": -1}, order_id="sign"),
        order(order_id="no lines", lines=[]),
        order(order_id="bad line", lines=[{"product_id": "p", "quantity": "many"}]),
    ]

    outcomes = results(api, "/v1/orders", rows)

    assert statuses(outcomes) == ["created", "rejected", "rejected", "rejected", "rejected"]
    assert [result["errors"][0]["field"] for result in outcomes[1:]] == [
        "lines.0.unit_price",
        "lines.1.amount",
        "lines",
        "lines.0.quantity",
    ]
    assert [row[0] for row in database_state(engine)["orders"]] == ["good"]


def test_an_unknown_product_is_matched_added_or_rejected(api: TestClient, engine: Engine) -> None:
    results(api, "/v1/products", [{"product_id": "GTX Pro"}])
    posted = order({"product_id": "GTXPro"})

    rejected = results(api, "/v1/orders", [posted], unknown_products="reject")
    matched = results(api, "/v1/orders", [posted], match_products="names")

    reason = "is an unknown product: 'GTXPro'; did you mean 'GTX Pro'?"
    assert rejected[0]["errors"] == [{"field": "lines.0.product_id", "reason": reason}]
    assert statuses(matched) == ["created"]
    assert [row[1] for row in database_state(engine)["order_lines"]] == ["GTX Pro"]

    added = results(api, "/v1/orders", [posted], unknown_products="add")

    assert statuses(added) == ["updated"]
    assert [row[1] for row in database_state(engine)["order_lines"]] == ["GTXPro"]


def test_a_file_of_the_same_order_finds_nothing_to_change(api: TestClient, engine: Engine, tmp_path: Path) -> None:
    results(api, "/v1/orders", [order({"quantity": 2, "amount": "1.50"}, currency="EUR")])
    row = {"order_id": "o", "account_id": "A", "product_id": "p", "ordered_at": "2024-02-29 12:00", "quantity": "2"}

    path = write_csv(tmp_path / "lines.csv", [row | {"amount": "1.5", "currency": "EUR"}])
    summary = import_file(engine, "orders", [path])

    assert (summary.rows.unchanged, summary.orders.unchanged) == (1, 1)


BAD_VALUES = [
    ("product_id", ""),
    ("product_id", "a\0b"),
    ("product_id", True),
    ("product_id", 1e300),
    ("quantity", "x"),
    ("quantity", 1e10),
    ("quantity", False),
    ("quantity", "1_0"),
    ("amount", "1;5"),
    ("amount", "NaN"),
    ("amount", 1e16),
    ("amount", -1),
    ("amount", [1]),
    ("amount_minor", 1.5),
    ("amount_minor", str(10**16)),
    ("unit_price", "1e400"),
    ("unit_price_minor", {}),
]
GOOD_VALUES: list[tuple[str, Any]] = [
    ("product_id", 17850),
    ("product_id", 17850.0),
    ("product_id", "  spaced  "),
    ("quantity", "-2"),
    ("quantity", None),
    ("quantity", 0.1),
    ("amount", 0.145),
    ("amount", " 12.345 "),
    ("amount", ""),
    ("amount_minor", 7.0),
    ("unit_price", "0.333"),
    ("unit_price_minor", "33"),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_row_that_a_request_rejects_a_file_rejects_for_the_same_reason(
    sqlite_api: TestClient, sqlite_engine: Engine, tmp_path: Path, field: str, value: Any
) -> None:
    posted = results(sqlite_api, "/v1/orders", [order({field: value})])
    row = {"order_id": "o", "product_id": "p", "ordered_at": "2024-01-01", field: value}
    path = write_ndjson(tmp_path / "lines.ndjson", [row])
    import_file(sqlite_engine, "orders", [path], ImportOptions(rejects=tmp_path / "bad.csv"))

    rejected = read_rejects(tmp_path / "bad.csv")[0]
    assert posted[0]["errors"] == [{"field": f"lines.0.{rejected['field']}", "reason": rejected["reason"]}]


@pytest.mark.parametrize(("field", "value"), GOOD_VALUES)
def test_a_row_that_a_request_accepts_a_file_stores_alike(
    sqlite_api: TestClient, sqlite_engine: Engine, tmp_path: Path, field: str, value: Any
) -> None:
    results(sqlite_api, "/v1/orders", [order({field: value})])
    row = {"order_id": "file", "product_id": "p", "ordered_at": "2024-01-01", field: value}
    import_file(sqlite_engine, "orders", [write_ndjson(tmp_path / "lines.ndjson", [row])])

    from_file, posted = database_state(sqlite_engine)["order_lines"]
    assert from_file[1:] == posted[1:]
