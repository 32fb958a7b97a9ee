"""Goals that are tried out: what is within reach, and what the lever does to offers."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.goals.conftest import URL, line, sell

MONTHS = {"from": "2024-03-01", "until": "2024-05-31"}
GOAL = {"name": "Line 2", "scope": {"lines": ["line-2"]}, "measure": "units", "period": MONTHS}


def preview(client: TestClient, **fields: Any) -> Any:
    answer = client.post(f"{URL}/preview", json={**GOAL, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_goal_beyond_reach_is_said_to_be_so(shop_client: TestClient) -> None:
    usual = preview(shop_client, target=1)["progress"]["forecast"]["expected"]

    near, far = preview(shop_client, target=1.05 * usual), preview(shop_client, target=10 * usual)

    assert (near["is_out_of_reach"], far["is_out_of_reach"]) == (False, True)
    assert far["progress"]["status"] == "out-of-reach"
    reach, forecast = far["progress"]["with_max_lever"], far["progress"]["forecast"]
    assert reach["low"] <= reach["expected"] <= reach["high"] < 10 * usual
    assert reach["expected"] > forecast["expected"]
    assert shop_client.get(URL).json()["items"] == []


def test_the_lever_brings_more_of_the_scope_and_costs_value(shop_client: TestClient) -> None:
    offers = preview(shop_client, target=100, max_lever=5)["offers"]

    assert offers["accounts"] == offers["sampled_accounts"] == 240
    assert 0 < offers["share_of_top_offers"] < offers["share_of_top_offers_lifted"] <= 1
    assert offers["expected_purchases"] < offers["expected_purchases_lifted"]
    assert 1 <= offers["uplift"]["low"] <= offers["uplift"]["value"] <= offers["uplift"]["high"]
    assert 0 < offers["value_lost_share"] < 1


def test_a_lever_of_1_changes_nothing(shop_client: TestClient) -> None:
    tried = preview(shop_client, target=100, max_lever=1)

    offers = tried["offers"]
    assert offers["share_of_top_offers"] == offers["share_of_top_offers_lifted"]
    assert offers["uplift"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert offers["value_lost_share"] == 0
    assert tried["progress"]["with_max_lever"] == tried["progress"]["forecast"]


def test_a_goal_of_a_segment_is_tried_on_its_accounts(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": key, "attributes": {"s": 1}} for key in ("a1", "new")])
    rule = {"attribute": "s", "op": "eq", "value": 1}
    client.post("/v1/segments", json={"name": "Mine", "rule": rule})
    sell(client, "o-1", "2024-03-01", line("beans", 3), account_id="a1")
    sell(client, "o-2", "2024-03-01", line("beans", 4), account_id="a2")

    tried = preview(client, scope={"lines": ["coffee"]}, segment_id="custom.mine", target=10)

    assert tried["progress"]["booked"] == 3
    assert tried["offers"]["accounts"] == 2


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"scope": {"lines": ["tea"]}}, 409, "scope-matches-nothing"),
        ({"segment_id": "custom.none", "scope": {"lines": ["coffee"]}}, 404, "unknown-segment"),
        ({"target": -1}, 422, "request-invalid"),
    ],
)
def test_a_preview_refuses_what_can_not_be_set(
    client: TestClient, wrong: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(f"{URL}/preview", json={**GOAL, "target": 5, **wrong})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
