"""How offers are ranked is stored, felt by the next answer, and nobody's change is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import make_key, running, wait_until

URL: Final = "/v1/arbitration"
ASK: Final = "/v1/recommendations"


def ask(client: TestClient, account_id: str = "ann") -> Any:
    return client.get(f"{ASK}/{account_id}?limit=20&dry_run=true").json()


def products(answer: Any) -> list[str]:
    return [offer["product_id"] for offer in answer["offers"]]


def change(client: TestClient, **fields: Any) -> Any:
    answer = client.patch(URL, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_settings_hold_until_something_is_stored_and_again_afterwards(settings: Settings) -> None:
    settings = settings.model_copy(update={"min_propensity": 0.125})
    with running(settings, make_key(settings.database_url, "admin")) as client:
        before = client.get(URL).json()
        changed = change(client, strategy="propensity", min_propensity=0)

        assert (before["strategy"], before["min_propensity"], before["stored"]) == ("expected_value", 0.125, [])
        assert (before["version"], before["updated_at"]) == (0, None)
        assert (changed["strategy"], changed["min_propensity"]) == ("propensity", 0)
        assert changed["stored"] == ["min_propensity", "strategy"]
        assert {**client.get(URL).json(), "sequence": changed["sequence"]} == changed
        again = change(client, strategy=None, min_propensity=None)
        assert {name: again[name] for name in before if name not in ("version", "updated_at", "updated_by")} == {
            name: before[name] for name in before if name not in ("version", "updated_at", "updated_by")
        }


def test_a_strategy_is_felt_by_the_next_answer(client: TestClient) -> None:
    by_value = ask(client)
    change(client, strategy="propensity")
    by_propensity = ask(client)
    change(client, strategy="relevance")
    by_score = ask(client)

    assert [by_value["strategy"], by_propensity["strategy"], by_score["strategy"]] == [
        "expected_value",
        "propensity",
        "relevance",
    ]
    assert sorted(products(by_value)) == sorted(products(by_propensity)) == sorted(products(by_score))


def test_a_floor_is_felt_by_the_next_answer_and_says_so(client: TestClient) -> None:
    figures = [offer["arbitration"]["propensity"] for offer in ask(client)["offers"]]
    floor = sorted(figures)[-2]

    change(client, min_propensity=floor)

    answer = ask(client)
    assert [offer["arbitration"]["propensity"] >= floor for offer in answer["offers"]] == [True] * len(answer["offers"])
    assert len(answer["offers"]) < len(figures)
    assert answer["withheld"]["below-floor"] >= 1
    change(client, min_propensity=1)
    assert ask(client)["no_offer"]["code"] == "nothing-worth-offering"


def test_offers_are_good_for_as_long_as_is_stored(client: TestClient) -> None:
    change(client, offer_valid_hours=1.5)

    assert {offer["valid_until"] for offer in ask(client)["offers"]} == {"2024-03-01T13:30:00Z"}


def test_upgrades_of_a_scope_alone_go_first(client: TestClient) -> None:
    names = ("beans", "syrup", "filter", "mug")
    client.post("/v1/products", json=[{"product_id": name, "name": name} for name in names])
    made = client.post("/v1/relationships", json=[relationship("beans", "syrup"), relationship("beans", "filter")])
    assert made.json()["rejected"] == 0, made.text
    assert set(products(ask(client))[:2]) == {"syrup", "filter"}

    change(client, up_sell_scope={"products": ["syrup"]})

    assert products(ask(client))[0] == "syrup"
    assert products(ask(client))[1] != "filter"
    change(client, strategy="relevance")
    assert products(ask(client))[0] == "syrup"
    change(client, strategy=None, up_sell_first=False)
    without = products(ask(client))
    change(client, up_sell_first=None, up_sell_scope={"products": ["mug"]})
    assert products(ask(client)) == without


def relationship(source: str, target: str) -> dict[str, Any]:
    return {"source_product_id": source, "target_product_id": target, "relation": "up_sell"}


def test_a_change_reaches_other_workers_within_a_second_and_outlives_them(settings: Settings) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client, running(settings, key) as other:
        change(client, min_propensity=1)
        wait_until(lambda: ask(other)["offers"] == [], seconds=1)
    with running(settings, key) as client:
        assert ask(client)["offers"] == []


def test_nobody_s_change_is_lost(client: TestClient) -> None:
    etag = client.get(URL).headers["ETag"]
    first = client.patch(URL, json={"min_propensity": 0.1}, headers={"If-Match": etag})
    second = client.patch(URL, json={"min_propensity": 0.2}, headers={"If-Match": etag})

    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "arbitration-changed")
    assert client.get(URL).headers["ETag"] == first.headers["ETag"]

    def add(number: int) -> int:
        return client.patch(URL, json={"min_expected_value_minor": number}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(1, 17))) == {200}
    history = client.get(f"{URL}/history").json()["items"]
    assert [item["version"] for item in history] == list(range(17, 0, -1))
    assert [item["before"] for item in history] == [item["after"] for item in history[1:]] + [None]
    assert client.get(URL, headers={"If-None-Match": client.get(URL).headers["ETag"]}).status_code == 304


def test_what_changes_nothing_makes_no_version(client: TestClient) -> None:
    first = change(client, min_propensity=0.1)

    assert change(client, min_propensity=0.1)["version"] == first["version"] == 1
    assert change(client)["version"] == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"strategy": "best"}, "expected_value"),
        ({"min_propensity": 1.01}, "less than or equal to 1"),
        ({"min_expected_value_minor": -1}, "greater than or equal to 0"),
        ({"offer_valid_hours": 0}, "greater than 0"),
        ({"up_sell_first": "yes"}, "boolean"),
        ({"up_sell_scope": {"products": ["nothing"]}}, "does not exist"),
        ({"up_sell_scope": {}}, "one of them"),
        ({"margin": 1}, "margin"),
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = client.patch(URL, json=fields)

    assert answer.status_code == 422
    assert reason in answer.text
    assert client.get(URL).json()["version"] == 0
