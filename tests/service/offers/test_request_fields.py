"""What a request may hold over HTTP beside account and basket, and how the answer shows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import make_key, running

URL = "/v1/recommendations"
IMAGE = "https://shop.example/milk.jpg"
PRODUCTS: list[dict[str, Any]] = [
    {"product_id": "milk", "name": "Oat milk", "line": "DRINKS", "category": "Dairy, or not", "price_minor": 199,
     "currency": "EUR", "attributes": {"image_url": IMAGE, "litres": 1, "tags": ["vegan", "new"], "line": "own"}},
    {"product_id": "syrup", "name": "Syrup", "line": "DRINKS", "category": "Sweet",
     "attributes": {"litres": "1", "is_new": True}},
    {"product_id": "kettle", "name": "Kettle", "line": "TOOLS", "price_minor": 5900, "currency": "EUR"},
    {"product_id": "scale", "name": "Scale", "line": "TOOLS", "price_minor": 2900, "currency": "EUR",
     "attributes": {"litres": 0.5}},
]  # fmt: skip


@pytest.fixture(scope="module")
def client(shared_settings: Settings) -> Iterator[TestClient]:
    """An application whose products have lines, categories and attributes: for what only asks."""
    with running(shared_settings, make_key(shared_settings.database_url, "admin")) as made:
        describe(made, *PRODUCTS)
        yield made


def describe(client: TestClient, *products: dict[str, Any]) -> None:
    answer = client.post("/v1/products", json=list(products))
    assert answer.status_code == 200, answer.text


def ask(client: TestClient, **asked: object) -> Any:
    answer = client.post(URL, json={"limit": 50, "dry_run": True, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask_by_query(client: TestClient, query: str, account_id: str = "stranger") -> Any:
    answer = client.get(f"{URL}/{account_id}?limit=50&dry_run=true&{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def offered(body: Any) -> set[str]:
    return {offer["product_id"] for offer in body["offers"]}


@pytest.mark.parametrize(
    ("asked", "query", "expected"),
    [
        ({"lines": ["DRINKS"]}, "lines=DRINKS", {"milk", "syrup"}),
        ({"lines": ["DRINKS", "TOOLS"]}, "lines=DRINKS,TOOLS", {"milk", "syrup", "kettle", "scale"}),
        ({"lines": ["DRINKS", "TOOLS"]}, "lines=DRINKS&lines=TOOLS", {"milk", "syrup", "kettle", "scale"}),
        ({"categories": ["Dairy, or not"]}, "categories=Dairy,%20or%20not", {"milk"}),
        ({"lines": ["TOOLS"], "price_max_minor": 2900}, "lines=TOOLS&price_max_minor=2900", {"scale"}),
        ({"lines": ["DRINKS"], "price_max_minor": 10**9}, "lines=DRINKS&price_max_minor=1000000000", {"milk"}),
        ({"attributes": {"litres": 1}}, "attributes=litres:1", {"milk", "syrup"}),
        ({"attributes": {"litres": ["0.5", 7]}}, "attributes=litres:0.5,litres:7", {"scale"}),
        ({"attributes": {"tags": "vegan", "litres": 1.0}}, "attributes=tags:vegan&attributes=litres:1", {"milk"}),
        ({"attributes": {"is_new": True}}, "attributes=is_new:true", {"syrup"}),
    ],
)
def test_offers_are_restricted_alike_by_body_and_query(
    client: TestClient, asked: dict[str, object], query: str, expected: set[str]
) -> None:
    by_body, by_query = ask(client, account_id="stranger", **asked), ask_by_query(client, query)

    assert offered(by_body) == offered(by_query) == expected
    assert by_body["offers"] == by_query["offers"]
    assert by_body["unknown_filters"] == by_query["unknown_filters"] == {}
    assert by_body["withheld"]["filtered"] > 0


def test_a_filter_holds_for_a_batch_and_for_a_basket(client: TestClient) -> None:
    batch = client.post(f"{URL}/batch", json={"account_ids": ["ann", "bob"], "limit": 9, "lines": ["DRINKS"]}).json()
    basket = ask(client, basket=["beans"], lines=["DRINKS"])

    assert [offered(item) for item in batch["items"]] == [{"milk", "syrup"}] * 2
    assert offered(basket) == {"milk", "syrup"}
    assert basket["offers"][0]["reasons"][0]["code"] == "goes-with-basket"


def test_values_that_no_product_has_are_listed_and_nothing_passes_them(client: TestClient) -> None:
    one = ask(client, lines=["drinks", "DRINKS"], attributes={"colour": "red"})
    other = ask_by_query(client, "lines=drinks,DRINKS&attributes=colour:red")

    assert one["offers"] == other["offers"] == []
    assert one["unknown_filters"] == other["unknown_filters"] == {"lines": ["drinks"], "attributes": ["colour"]}
    assert one["withheld"]["filtered"] > 0


def test_null_and_empty_filters_restrict_nothing(client: TestClient) -> None:
    names = ("lines", "categories", "price_max_minor", "relations", "attributes", "fields")
    empty: dict[str, object] = {"lines": [], "categories": [], "relations": [], "attributes": {}, "fields": []}
    plain = ask(client, account_id="ann")

    for asked in (ask(client, account_id="ann", **dict.fromkeys(names)), ask(client, account_id="ann", **empty)):
        assert (asked["offers"], asked["withheld"]) == (plain["offers"], plain["withheld"])
    assert offered(ask_by_query(client, "lines=&attributes=&fields=", "ann")) == offered(plain)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"relations": ["substitute"]}, "relations"),
        ({"lines": "DRINKS"}, "lines"),
        ({"price_max_minor": -1}, "price_max_minor"),
        ({"attributes": {"a": {"b": 1}}}, "attributes"),
        ({"attributes": {"a": []}}, "attributes"),
        ({"attributes": {f"a{n}": 1 for n in range(21)}}, "attributes"),
        ({"fields": ["x" * 101]}, "fields"),
        ({"fields": [f"f{n}" for n in range(51)]}, "fields"),
        ({"basket": [{"product_id": "milk", "quantity": -1}]}, "basket"),
        ({"basket": [{"product_id": "milk", "quantity": "2"}]}, "basket"),
        ({"basket": [{"quantity": 2}]}, "basket"),
        ({"basket": [7]}, "basket"),
    ],
)
def test_what_is_no_filter_is_refused_by_name(client: TestClient, asked: dict[str, object], field: str) -> None:
    answer = client.post(URL, json=asked)

    assert answer.status_code == 422
    assert {error["loc"][1] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("query", ["attributes=litres", "relations=substitute", "price_max_minor=1.5"])
def test_what_is_no_filter_is_refused_in_a_query(client: TestClient, query: str) -> None:
    answer = client.get(f"{URL}/ann?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"][:2] == ["query", query.partition("=")[0]]


def test_offers_carry_the_attributes_that_are_asked_for(client: TestClient) -> None:
    names = ["image_url", "line", "attributes.line", "category", "tier", "litres", "unheard-of"]
    by_body = ask(client, lines=["DRINKS"], fields=names)
    by_query = ask_by_query(client, f"lines=DRINKS&fields={','.join(names[:3])}&fields={','.join(names[3:])}")

    milk, syrup = sorted(by_body["offers"], key=lambda offer: str(offer["product_id"]))
    assert milk["attributes"] == {
        "image_url": IMAGE,
        "line": "DRINKS",
        "attributes.line": "own",
        "category": "Dairy, or not",
        "tier": None,
        "litres": 1,
        "unheard-of": None,
    }
    assert syrup["attributes"]["image_url"] is None
    assert by_body["offers"] == by_query["offers"]
    assert all(offer["attributes"] == {} for offer in ask(client)["offers"])


def test_a_basket_may_give_quantities(client: TestClient) -> None:
    plain = ask(client, basket=["beans", "grinder"])

    items: list[object] = [
        {"product_id": "beans", "quantity": 2},
        "grinder",
        {"product_id": "beans", "quantity": None},
        {"product_id": "beans"},
        {"product_id": "kettle", "quantity": 0},
    ]
    with_quantities = ask(client, basket=items)

    assert with_quantities["offers"] == plain["offers"]
    assert with_quantities["withheld"] == plain["withheld"]
    assert "kettle" in offered(with_quantities)


def test_products_that_the_model_does_not_know_are_listed_and_counted(client: TestClient) -> None:
    before = counted(client)

    body = ask(client, basket=["beans", {"product_id": "baens"}], exclude=["mikl", "milk", "baens"])

    assert body["unknown_products"] == ["baens", "mikl"]
    assert "milk" not in offered(body)
    assert counted(client) - before == 2
    assert ask(client, basket=["beans"])["unknown_products"] == []


def counted(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("nextoffer_unknown_products_total "))


def test_a_changed_product_is_filtered_and_shown_as_it_is_now_and_after_a_restart(
    settings: Settings, version: str
) -> None:
    assert version
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client:
        describe(client, *PRODUCTS)
        describe(
            client, {"product_id": "syrup", "line": "TOOLS", "price_minor": 5, "currency": "EUR", "attributes": {}}
        )
        live = ask(client, lines=["TOOLS"], price_max_minor=100, fields=["litres", "line"])
        without = ask(client, attributes={"litres": 1})
        described = client.get(f"{URL}/stranger?fields=litres&limit=50&dry_run=true").json()["offers"]
    with running(settings, key) as restarted:
        again = ask(restarted, lines=["TOOLS"], price_max_minor=100, fields=["litres", "line"])

    assert live["offers"] == again["offers"]
    assert [offer["attributes"] for offer in live["offers"]] == [{"litres": None, "line": "TOOLS"}]
    assert offered(without) == {"milk"}
    assert {offer["product_id"]: offer["attributes"]["litres"] for offer in described}["scale"] == 0.5


def test_the_decision_log_keeps_what_a_query_asked_for(client: TestClient) -> None:
    answer = client.get(f"{URL}/ann?limit=2&lines=DRINKS,TOOLS&fields=image_url").json()

    for _ in range(100):
        decision = client.get(f"/v1/decisions/{answer['decision_id']}")
        if decision.status_code == 200:
            break
    assert decision.json()["request"] == {"limit": 2, "lines": ["DRINKS,TOOLS"], "fields": ["image_url"]}
    assert decision.json()["answer"] == answer
