"""Deals over HTTP, on both databases."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from service.imports.importer import import_file
from tests.service.deals.conftest import SUMMER, deal
from tests.service.imports.support import database_state, read_rejects, results, write_ndjson


def listed(client: TestClient, **parameters: str) -> list[dict[str, Any]]:
    answer = client.get("/v1/deals", params=parameters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def statuses(outcomes: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in outcomes]


def account(client: TestClient, account_id: str) -> Any:
    return client.get(f"/v1/accounts/{account_id}").json()


def test_a_deal_is_stored_with_stubs_for_what_it_names_and_read_back(api: TestClient, engine: Engine) -> None:
    posted = deal(value="12.345", currency="eur", opened_at="2024-05-01", expected_close="2024-07-31T23:30:00-01:00")

    outcomes = results(api, "/v1/deals", [posted])

    state = database_state(engine)
    expected = {
        "deal_id": "d", "account_id": "A", "account_name": None, "stage": "Engaging", "status": "open",
        "lines": [{"product_id": "p", "product_name": "p", "quantity": 1.0, "value_minor": 1234}],
        "value_minor": 1234, "currency": "EUR",
        "opened_at": "2024-05-01T00:00:00Z", "closed_at": None, "expected_close": "2024-08-01",
        "updated_at": "2024-03-01T12:00:00Z",
    }  # fmt: skip
    assert statuses(outcomes) == ["created"]
    assert listed(api) == [expected]
    assert (state["accounts"][0][-1], state["products"][0][-1], state["orders"]) == (True, True, [])


def test_a_deal_of_a_placeholder_is_refused_unless_it_is_kept(sqlite_api: TestClient) -> None:
    rows = [deal("1", account_id="0"), deal("2", account_id="N/A"), deal("3", account_id=" "), deal("4")]

    refused = results(sqlite_api, "/v1/deals", rows)
    listed_before = [(item["deal_id"], item["account_id"]) for item in listed(sqlite_api)]
    kept = results(sqlite_api, "/v1/deals", rows, keep_account_values="true")

    assert statuses(refused) == ["rejected", "rejected", "created", "created"]
    assert [error["field"] for result in refused[:2] for error in result["errors"]] == ["account_id", "account_id"]
    assert "keep_account_values=true" in refused[0]["errors"][0]["reason"]
    assert listed_before == [("3", None), ("4", "A")]
    assert statuses(kept) == ["created", "created", "unchanged", "unchanged"]


def test_a_status_that_is_given_counts_more_than_the_stage(api: TestClient) -> None:
    rows = [deal("1", "Given up", status="Lost"), deal("2", "Won", status="open"), deal("3", "Lost", status=" ")]

    results(api, "/v1/deals", rows)

    assert [item["status"] for item in listed(api)] == ["lost", "open", "lost"]


def test_a_won_deal_is_an_order_that_training_sees(api: TestClient, engine: Engine) -> None:
    won = deal(stage="Won", closed_at=SUMMER, value="19.99", currency="USD")

    results(api, "/v1/deals", [won, deal("guest", "Won", account_id=None, closed_at=SUMMER)])

    known = account(api, "A")
    with engine.connect() as connection:
        lines = connection.execute(
            text("SELECT account_id, order_id, quantity, amount_minor FROM training_order_lines ORDER BY order_id")
        ).all()
    assert [owned["product_id"] for owned in known["owned"]] == ["p"]
    assert (known["order_count"], known["first_order_at"]) == (1, SUMMER)
    assert known["totals"] == [{"currency": "USD", "amount_minor": 1999}]
    assert [tuple(line) for line in lines] == [("A", "deal:d", 1.0, 1999), (None, "deal:guest", 1.0, None)]


def test_a_deal_again_is_unchanged_and_so_is_its_order(api: TestClient, engine: Engine) -> None:
    rows = [deal("1", "Won", closed_at=SUMMER, value=5), deal("2", expected_close="2024-07-01"), deal("3", "Lost")]
    first = api.post("/v1/deals", json=rows)
    before = database_state(engine, with_times=True)

    again = api.post("/v1/deals", json=rows)

    assert statuses(again.json()["results"]) == ["unchanged"] * 3
    assert again.headers["X-Sequence"] == first.headers["X-Sequence"]
    assert database_state(engine, with_times=True) == before


def test_an_open_deal_that_is_won_is_owned_and_one_that_is_lost_after_all_is_not(
    api: TestClient, engine: Engine
) -> None:
    results(api, "/v1/deals", [deal(value=100, currency="USD")])
    before = account(api, "A")["owned_count"]

    results(api, "/v1/deals", [deal(stage="Won", closed_at=SUMMER)])
    won, amount = account(api, "A")["owned_count"], database_state(engine)["order_lines"][0][-1]
    results(api, "/v1/deals", [deal(stage="Lost")])
    lost, cancelled = account(api, "A")["owned_count"], database_state(engine)["orders"][0][-1]
    results(api, "/v1/deals", [deal(stage="Won", closed_at=SUMMER)])

    assert (before, won, lost, account(api, "A")["owned_count"]) == (0, 1, 0, 1)
    assert (amount, cancelled) == (10_000, True)


def test_a_won_deal_that_moves_takes_its_order_along(api: TestClient, engine: Engine) -> None:
    results(api, "/v1/deals", [deal(stage="Won", closed_at=SUMMER)])

    results(api, "/v1/deals", [deal(stage="Won", closed_at=SUMMER, account_id="B", product_id="q")])

    assert (account(api, "A")["owned_count"], account(api, "B")["owned"][0]["product_id"]) == (0, "q")
    assert [line[:2] for line in database_state(engine)["order_lines"]] == [("deal:d", "q")]


def test_an_order_that_somebody_overwrote_is_mended_by_its_deal(api: TestClient, engine: Engine) -> None:
    won = deal(stage="Won", closed_at=SUMMER)
    results(api, "/v1/deals", [won])
    before = database_state(engine)
    lines = [{"product_id": "p", "quantity": 3}]
    results(api, "/v1/orders", [{"order_id": "deal:d", "ordered_at": "2020-01-01", "lines": lines}])

    outcomes = results(api, "/v1/deals", [won])

    assert statuses(outcomes) == ["unchanged"]
    assert database_state(engine) == before


def test_a_field_that_is_left_out_keeps_its_value_and_a_blank_one_clears_it(api: TestClient) -> None:
    results(api, "/v1/deals", [deal(value=1, currency="JPY", opened_at=SUMMER, expected_close="2024-07-01")])

    results(api, "/v1/deals", [{"deal_id": "d", "product_id": "p", "stage": "Demo", "opened_at": "", "value": 2}])

    (stored,) = listed(api)
    assert (stored["account_id"], stored["stage"], stored["expected_close"]) == ("A", "Demo", "2024-07-01")
    assert stored["opened_at"] is None
    assert (stored["value_minor"], stored["currency"]) == (2, "JPY")


def test_good_deals_are_stored_beside_bad_ones(api: TestClient, engine: Engine) -> None:
    bad = [
        ("product_id", deal("1", product_id=True)),
        ("stage", deal("2", " ")),
        ("status", deal("3", status="closed")),
        ("value", deal("4", value=1, value_minor=100)),
        ("value", deal("5", value=-1)),
        ("value_minor", deal("6", value_minor=-1)),
        ("value", deal("7", value="10000000000000.01")),
        ("closed_at", deal("8", "Won")),
        ("expected_close", deal("9", expected_close="soon")),
        ("agent", deal("10", agent="Moses Frase")),
        ("deal_id", deal("")),
    ]

    outcomes = results(api, "/v1/deals", [deal("good"), *(row for _, row in bad)])

    assert statuses(outcomes) == ["created", *["rejected"] * len(bad)]
    assert [result["errors"][0]["field"] for result in outcomes[1:]] == [field for field, _ in bad]
    state = database_state(engine)
    assert ([row[0] for row in state["deals"]], state["orders"]) == (["good"], [])


def test_every_fault_of_a_row_is_named(api: TestClient) -> None:
    posted = deal(stage="Won", value=-1)

    outcomes = results(api, "/v1/deals", [posted], unknown_products="reject")

    assert {error["field"]: error["reason"] for error in outcomes[0]["errors"]} == {
        "product_id": "is an unknown product: 'p'",
        "value": "is negative",
        "closed_at": "is empty, but the deal is won: an order needs the time at which it was",
    }


def test_an_unknown_product_is_matched_added_or_rejected(api: TestClient) -> None:
    results(api, "/v1/products", [{"product_id": "GTX Pro"}])
    posted = deal(product_id="GTXPro")

    rejected = results(api, "/v1/deals", [posted], unknown_products="reject")
    matched = results(api, "/v1/deals", [posted], match_products="names"), listed(api)[0]["lines"][0]["product_id"]
    added = results(api, "/v1/deals", [posted], unknown_products="add"), listed(api)[0]["lines"][0]["product_id"]

    reason = "is an unknown product: 'GTXPro'; did you mean 'GTX Pro'?"
    assert rejected[0]["errors"] == [{"field": "product_id", "reason": reason}]
    assert (statuses(matched[0]), matched[1]) == (["created"], "GTX Pro")
    assert (statuses(added[0]), added[1]) == (["updated"], "GTXPro")


def test_lines_of_json_are_read_too_and_the_last_of_a_deal_counts(api: TestClient, engine: Engine) -> None:
    rows = [deal(stage="Won", closed_at=SUMMER), deal(stage="Lost"), deal("e")]
    body = b"\n".join(map(orjson.dumps, rows)) + b"\n{"

    answer = api.post("/v1/deals", content=body, headers={"Content-Type": "application/x-ndjson"}).json()

    assert statuses(answer["results"]) == ["created", "updated", "created", "rejected"]
    assert [item["status"] for item in listed(api)] == ["lost", "open"]
    assert not [row for row in database_state(engine)["orders"] if not row[-1]]


def test_a_write_under_a_key_is_done_once(api: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first = api.post("/v1/deals", json=[deal(stage="Demo")], headers=headers)
    results(api, "/v1/deals", [deal(stage="Lost")])

    again = api.post("/v1/deals", json=[deal(stage="Demo")], headers=headers)

    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert listed(api)[0]["status"] == "lost"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_list_every_deal_once(api: TestClient, limit: int) -> None:
    results(api, "/v1/deals", [deal(f"d{number}") for number in range(7)])

    seen: list[str] = []
    parameters = {"limit": str(limit)}
    while True:
        page = api.get("/v1/deals", params=parameters).json()
        seen += [item["deal_id"] for item in page["items"]]
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]

    assert seen == [f"d{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"account_id": "A"}, ["1", "2"]),
        ({"account_id": "A", "status": "open"}, ["1"]),
        ({"status": "won"}, ["3"]),
        ({"account_id": "nobody"}, []),
    ],
)
def test_deals_are_filtered(api: TestClient, parameters: dict[str, str], expected: list[str]) -> None:
    rows = [deal("1"), deal("2", "Lost"), deal("3", "Won", account_id="B", closed_at=SUMMER), deal("4", account_id="B")]
    results(api, "/v1/deals", rows)

    assert [item["deal_id"] for item in listed(api, **parameters)] == expected


@pytest.mark.parametrize("parameters", [{"limit": "0"}, {"limit": "501"}, {"status": "Won"}, {"account_id": "a\0b"}])
def test_a_question_out_of_bounds_is_refused(api: TestClient, parameters: dict[str, str]) -> None:
    assert api.get("/v1/deals", params=parameters).status_code == 422


def test_a_cursor_that_no_page_gave_is_refused(api: TestClient) -> None:
    answer = api.get("/v1/deals", params={"cursor": "_w"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


BAD_VALUES = [
    ("deal_id", ""),
    ("product_id", True),
    ("quantity", "few"),
    ("quantity", 0),
    ("lines", [{"product_id": ""}]),
    ("is_won", "maybe"),
    ("stage", ""),
    ("stage", "a\0b"),
    ("stage", "Closed Won"),
    ("status", 1),
    ("status", "opened"),
    ("value", "1;5"),
    ("value", -0.01),
    ("value_minor", 1.5),
    ("currency", "dollars"),
    ("opened_at", "2024-02-30"),
    ("closed_at", "soon"),
    ("expected_close", []),
]
GOOD_VALUES: list[tuple[str, Any]] = [
    ("deal_id", 17850),
    ("account_id", ""),
    ("product_id", ""),
    ("quantity", "2.5"),
    ("stage", "  spaced  "),
    ("is_won", 0.0),
    ("is_closed", "False"),
    ("status", "LOST"),
    ("value", "0.145"),
    ("value", ""),
    ("value_minor", 7.0),
    ("opened_at", 1709200000),
    ("closed_at", "2024-01-01T10:00:00+02:00"),
    ("expected_close", "20240731"),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_row_that_a_request_rejects_a_file_rejects_for_the_same_reason(
    sqlite_api: TestClient, sqlite_engine: Engine, field: str, value: Any
) -> None:
    posted = results(sqlite_api, "/v1/deals", [deal(**{"deal_id": "d", field: value})])
    import_file(sqlite_engine, "deals", [write_ndjson(Path("deals.ndjson"), [deal(**{"deal_id": "d", field: value})])])

    rejected = read_rejects(Path("deals.ndjson.rejects.csv"))[0]
    (error,) = posted[0]["errors"]
    assert error["field"] == rejected["field"]
    # A file has options that a request lacks, and its reason names them.
    assert rejected["reason"].removeprefix(error["reason"]).partition("--")[0] in (
        "",
        ". If it is written otherwise, say how, as in ",
    )


@pytest.mark.parametrize(("field", "value"), GOOD_VALUES)
def test_a_row_that_a_request_accepts_a_file_finds_unchanged(
    sqlite_api: TestClient, sqlite_engine: Engine, field: str, value: Any
) -> None:
    posted = results(sqlite_api, "/v1/deals", [deal(**{"deal_id": "d", field: value})])

    path = write_ndjson(Path("deals.ndjson"), [deal(**{"deal_id": "d", field: value})])
    summary = import_file(sqlite_engine, "deals", [path])

    assert (statuses(posted), summary.rows.unchanged, summary.rejected) == (["created"], 1, 0)
