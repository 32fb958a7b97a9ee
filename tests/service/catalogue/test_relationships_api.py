"""Relationships over HTTP, on both databases: read, curated, and applied by the next answer."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from service.web import spreadsheets
from tests.artifacts import World, coffee_world, write_world
from tests.service.conftest import InstallWorld, make_key, make_settings, running, wait_until

URL = "/v1/relationships"
LEARNED = [
    ("grinder", "up_sell", "grinder-pro", 6),
    ("beans", "cross_sell", "milk", 8),
    ("beans", "cross_sell", "filter", 12),
    ("beans", "substitute", "syrup", 5),
    ("kettle", "accessory", "scale", 10),
]


@pytest.fixture
def world() -> World:
    """The coffee shop, with learned relationships."""
    return replace(coffee_world(), relationships=LEARNED)


@pytest.fixture
def start(database_url: str, artifacts_dir: Path, world: World, install_world: InstallWorld) -> Callable[[], Any]:
    """Starts an application over the coffee shop."""
    install_world(artifacts_dir, world, sequence=0)
    settings = make_settings(database_url, artifacts_dir)
    key = make_key(database_url, "admin")
    return lambda: running(settings, key)


@pytest.fixture
def api(start: Callable[[], Any], world: World) -> Iterator[TestClient]:
    """A client of an application that knows the coffee shop's products."""
    with start() as client:
        products = [
            {
                "product_id": p.product_id,
                "name": p.name or p.product_id.title(),
                "family": p.family or None,
                "tier": p.tier,
                "price_minor": p.price_minor,
                "currency": p.currency or None,
                "line": "Machines" if "grinder" in p.product_id else "Food",
                "category": p.product_id[0],
                "active": p.is_active,
            }
            for p in world.products
        ]
        assert client.post("/v1/products", json=products).json()["rejected"] == 0
        yield client


def put(client: TestClient, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Curate some pairs, and return the result of each row."""
    answer = client.post(URL, json=list(rows))
    assert answer.status_code == 200, answer.text
    outcomes: list[dict[str, Any]] = answer.json()["results"]
    return outcomes


def relationship(source: str, target: str, relation: str = "cross_sell", **fields: Any) -> dict[str, Any]:
    """A curated relationship as it is posted."""
    return {"source_product_id": source, "target_product_id": target, "relation": relation, **fields}


def listed(client: TestClient, url: str = URL, **parameters: Any) -> list[dict[str, Any]]:
    """Everything that is listed, page by page."""
    items: list[dict[str, Any]] = []
    while True:
        answer = client.get(url, params=parameters)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return items
        parameters["cursor"] = answer.json()["next_cursor"]


def pairs(items: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Source, relation, target and status of each relationship."""
    return [(i["source_product_id"], i["relation"], i["target_product_id"], i["status"]) for i in items]


def offers(client: TestClient, *basket: str) -> list[str]:
    """What is offered with a basket, in order."""
    answer = client.post("/v1/recommendations", json={"basket": list(basket), "limit": 20})
    return [offer["product_id"] for offer in answer.json()["offers"]]


def test_a_learned_relationship_is_shown_with_its_figures(api: TestClient) -> None:
    (learned,) = listed(api, "/v1/products/beans/relationships", minimum_strength=0.3)

    assert learned == {
        "relationship_id": "WyJiZWFucyIsImZpbHRlciJd",
        "source_product_id": "beans",
        "source_name": "Coffee beans",
        "target_product_id": "filter",
        "target_name": "Paper filters",
        "relation": "cross_sell",
        "status": "mined",
        "basis": "product",
        "evidence": "baskets",
        "strength": pytest.approx(0.4),
        "reason": "Bought together in 12 orders by 12 customers, 3.0 times as often as by chance.",
        "together": 12,
        "buyers": 12,
        "n_source": 20,
        "n_target": 20,
        "n_total": 100,
        "support": pytest.approx(0.12),
        "confidence": pytest.approx(0.6),
        "lift": pytest.approx(3),
        "cosine": pytest.approx(0.6),
        "log_likelihood_ratio": pytest.approx(12),
        "value_growth": None,
        "days_between": None,
        "price_step_minor": None,
        "currency": None,
        "note": None,
        "created_at": None,
        "created_by": None,
        "updated_at": None,
        "updated_by": None,
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_list_every_relationship_once(api: TestClient, limit: int) -> None:
    put(
        api,
        relationship("beans", "mug", "up_sell"),
        relationship("syrup", "mug"),
        relationship("beans", "milk", status="banned"),
    )

    assert pairs(listed(api, limit=limit)) == [
        ("beans", "up_sell", "mug", "added"),
        ("beans", "cross_sell", "milk", "banned"),
        ("beans", "cross_sell", "filter", "mined"),
        ("beans", "substitute", "syrup", "mined"),
        ("grinder", "up_sell", "grinder-pro", "mined"),
        ("kettle", "accessory", "scale", "mined"),
        ("syrup", "cross_sell", "mug", "added"),
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"relation": "up_sell"}, {"grinder-pro"}),
        ({"status": "added"}, {"mug"}),
        ({"status": "mined"}, {"milk", "syrup", "grinder-pro", "scale"}),
        ({"status": "approved"}, {"filter"}),
        ({"line": "Machines"}, {"grinder-pro"}),
        ({"category": "k"}, {"scale"}),
        ({"product": "beans"}, {"milk", "filter", "syrup"}),
        ({"line": "Food", "relation": "accessory"}, {"scale"}),
        ({"minimum_strength": 0.3}, {"filter", "mug", "scale"}),
        ({"product": "unheard-of"}, set()),
    ],
)
def test_filters(api: TestClient, parameters: dict[str, Any], expected: set[str]) -> None:
    put(
        api,
        relationship("mug", "mug2") | {"target_product_id": "milk"},
        relationship("beans", "filter", status="approved"),
    )
    put(api, relationship("mug", "milk", status="mined"), relationship("syrup", "mug"))

    assert {item["target_product_id"] for item in listed(api, **parameters)} == expected


def test_a_ban_takes_effect_in_the_next_answer_and_can_be_lifted(api: TestClient) -> None:
    assert "filter" in offers(api, "beans")
    (item,) = listed(api, product="beans", minimum_strength=0.3)

    banned = api.patch(f"{URL}/{item['relationship_id']}", json={"status": "banned", "note": "No.", "author": "j.doe"})
    with_ban = offers(api, "beans")
    forgotten = api.delete(f"{URL}/{item['relationship_id']}")

    assert (banned.status_code, banned.json()["status"], banned.json()["relation"]) == (200, "banned", "cross_sell")
    assert (banned.json()["updated_by"], banned.json()["note"]) == ("j.doe", "No.")
    assert banned.json()["together"] == 12
    assert "filter" not in with_ban
    assert forgotten.status_code == 200
    assert "filter" in offers(api, "beans")
    again = api.delete(f"{URL}/{item['relationship_id']}")
    assert (again.status_code, again.json()["code"]) == (404, "unknown-relationship")


def test_curated_relationships_reach_every_worker_and_survive_a_restart_and_a_new_artifact(
    api: TestClient, start: Callable[[], Any], artifacts_dir: Path, world: World
) -> None:
    with start() as other:
        put(api, relationship("beans", "filter", status="banned"), relationship("beans", "kettle"))
        wait_until(lambda: "filter" not in offers(other, "beans"))
        assert offers(other, "beans")[0] == "kettle"

    retrained = write_world(artifacts_dir, replace(world, relationships=LEARNED[:3]), sequence=0, seed=2)
    ArtifactStore(artifacts_dir, smoke_test).activate(retrained)
    with start() as later:
        assert later.post("/v1/recommendations", json={"basket": ["beans"]}).json()["artifact_version"] == retrained
        assert offers(later, "beans")[0] == "kettle"
        assert "filter" not in offers(later, "beans")
        assert ("beans", "cross_sell", "filter", "banned") in pairs(listed(later))


def test_a_note_alone_neither_approves_nor_bans(api: TestClient) -> None:
    (item,) = listed(api, product="kettle")

    noted = api.patch(f"{URL}/{item['relationship_id']}", json={"note": "Ask Ann."}).json()

    assert (noted["status"], noted["note"]) == ("mined", "Ask Ann.")
    assert noted["updated_by"].startswith("key ")
    assert noted["created_at"] == noted["updated_at"] == "2024-03-01T12:00:00Z"
    assert "scale" in offers(api, "kettle")
    cleared = api.patch(f"{URL}/{item['relationship_id']}", json={"note": None}).json()
    assert (cleared["note"], cleared["updated_at"]) == (None, None)


def test_changing_the_relation_approves_it(api: TestClient) -> None:
    (item,) = listed(api, product="kettle")

    changed = api.patch(f"{URL}/{item['relationship_id']}", json={"relation": "cross_sell"}).json()

    assert (changed["relation"], changed["status"]) == ("cross_sell", "approved")


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (relationship("beans", "beans"), "target_product_id", "a product can't be related to itself"),
        (relationship("beans", "tea"), "target_product_id", "names no product: there is no 'tea'"),
        (relationship("tea", "beans"), "source_product_id", "names no product: there is no 'tea'"),
        (relationship("grinder-pro", "grinder", "up_sell"), "relation", "is tier 1 of family 'grinders', below tier 2"),
        (relationship("kettle", "scale", "up_sell"), "relation", "'scale' costs 29.00 EUR, less than 59.00 EUR"),
        (relationship("mug", "mug") | {"relation": "friend"}, "relation", "input should be 'up_sell'"),
        ({"source_product_id": "mug"}, "target_product_id", "field required"),
    ],
)
def test_contradictions_are_refused_with_the_reason(
    api: TestClient, row: dict[str, Any], field: str, reason: str
) -> None:
    before = listed(api)

    (result, good) = put(api, row, relationship("mug", "milk"))

    assert (result["status"], good["status"]) == ("rejected", "created")
    assert result["errors"][0]["field"] == field
    assert reason in result["errors"][0]["reason"]
    assert len(listed(api)) == len(before) + 1


def test_cycles_of_upgrades_are_refused_including_those_with_learned_ones(api: TestClient) -> None:
    """The learned upgrade leads from the grinder to its pro."""
    first, second, third, fourth = put(
        api,
        relationship("mug", "syrup", "up_sell"),
        relationship("syrup", "mug", "up_sell"),
        relationship("grinder-pro", "mug", "up_sell"),
        relationship("syrup", "grinder", "up_sell"),
    )

    assert (first["status"], third["status"]) == ("created", "created")
    assert second["errors"][0]["reason"].endswith("in a circle: syrup → mug → syrup; ban one of those first")
    assert "syrup → grinder → grinder-pro → mug → syrup" in fourth["errors"][0]["reason"]
    (ban, again) = put(
        api,
        relationship("grinder", "grinder-pro", "up_sell", status="banned"),
        relationship("syrup", "grinder", "up_sell"),
    )
    assert (ban["status"], again["status"]) == ("created", "created")


def test_a_contradiction_in_a_patch_is_a_conflict_and_changes_nothing(api: TestClient) -> None:
    put(api, relationship("kettle", "beans"))
    (item,) = listed(api, product="kettle", status="added")

    refused = api.patch(f"{URL}/{item['relationship_id']}", json={"relation": "up_sell"})

    assert (refused.status_code, refused.json()["code"]) == (409, "relationship-refused")
    assert "costs 12.99 EUR, less than 59.00 EUR" in refused.json()["detail"]
    assert listed(api, product="kettle", status="added") == [item]


def test_a_pair_that_was_never_learned_can_not_be_set_to_mined(api: TestClient) -> None:
    put(api, relationship("mug", "milk"))
    (item,) = listed(api, product="mug")

    for change in ({"status": "mined"}, {"status": "mined", "note": "Hm."}):
        refused = api.patch(f"{URL}/{item['relationship_id']}", json=change)
        assert (refused.status_code, refused.json()["code"]) == (409, "relationship-refused")
    assert listed(api, product="mug") == [item]


@pytest.mark.parametrize("name", ["x", "WyJhIl0", "WyJiZWFucyIsIm11ZyJd", "WyJiZWFucyIsICJtdWciXQ"])
def test_an_invalid_relationship_id_is_unknown(api: TestClient, name: str) -> None:
    for answer in (api.patch(f"{URL}/{name}", json={"status": "approved"}), api.delete(f"{URL}/{name}")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-relationship")


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bnVsbA", "é"])
def test_a_cursor_that_nobody_gave_is_refused(api: TestClient, cursor: str) -> None:
    answer = api.get(URL, params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


def test_a_row_again_is_unchanged_and_a_later_one_replaces_all(api: TestClient) -> None:
    first, second, third = put(
        api,
        relationship("mug", "milk", note="One."),
        relationship("mug", "milk", note="One."),
        relationship("mug", "milk", "accessory", author="j.doe"),
    )

    (item,) = listed(api, product="mug")
    assert [result["status"] for result in (first, second, third)] == ["created", "unchanged", "updated"]
    assert (item["relation"], item["note"], item["updated_by"]) == ("accessory", None, "j.doe")
    assert item["created_by"].startswith("key ")


def test_the_name_of_a_pair_comes_back_with_each_row(api: TestClient) -> None:
    (result,) = put(api, relationship("mug", "milk"))
    (item,) = listed(api, product="mug")

    assert result["id"] == item["relationship_id"]
    assert (item["evidence"], item["strength"], item["reason"]) == (
        "people",
        1,
        "Recommended by our product experts.",
    )


def test_an_unknown_product_has_no_relationships(api: TestClient) -> None:
    answer = api.get("/v1/products/tea/relationships")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-product")


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ({}, {"beans filter", "beans milk", "beans syrup", "grinder grinder-pro", "kettle scale"}),
        ({"per_product": 1}, {"beans filter", "grinder grinder-pro", "kettle scale"}),
        ({"per_product": 2, "product": "beans"}, {"beans filter", "beans syrup"}),
        ({"basis": "category"}, set()),
        (
            {"basis": "category", "all": True},
            {"beans filter", "beans milk", "beans syrup", "grinder grinder-pro", "kettle scale"},
        ),
        ({"line": "Machines"}, {"grinder grinder-pro"}),
    ],
)
def test_the_export_holds_the_best_of_each_product_unless_asked_otherwise(
    api: TestClient, query: dict[str, Any], pairs: set[str]
) -> None:
    answer = api.get(f"{URL}/export", params=query)

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {f"{row['source_product_id']} {row['target_product_id']}" for row in rows} == pairs
    assert 'filename="relationships-2024-03-01.csv"' in answer.headers["content-disposition"]


def test_an_export_that_is_too_large_for_a_workbook_says_its_size(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_WORKBOOK_ROWS", 3)

    refused = api.get(f"{URL}/export", params={"format": "xlsx"})
    narrowed = api.get(f"{URL}/export", params={"format": "xlsx", "per_product": 1})

    assert (refused.status_code, refused.json()["code"]) == (422, "too-large-for-spreadsheet")
    assert refused.json()["detail"].startswith("The list has 5 rows; a workbook is written with 3 at most.")
    assert narrowed.status_code == 200
