"""The lever of a pair: what goals and weights add, bounded, and on whom."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.artifact import NO_ROW
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import NOON, part_of
from tests.service.goals.conftest import line, progress, set_goal

WEIGHTS = "/v1/lever-weights"
PRODUCTS = ("beans", "milk", "kettle")


def state_of(client: TestClient) -> LiveState:
    current = part_of(client, ArtifactHolder).current
    assert current is not None
    return current.state


def levers(client: TestClient, account_ids: Sequence[str | None] = ("a1",), now: Any = NOON) -> list[list[float]]:
    """The levers of beans, milk and kettle, account by account."""
    state = state_of(client)
    products = state.part(CatalogueView).products
    rows = [row for name in PRODUCTS if (row := products.row_of(name)) is not None]
    accounts = [state.accounts.row_of(key) if key is not None else None for key in account_ids]
    account_rows = np.array([NO_ROW if row is None else row for row in accounts], dtype=np.int64)
    account = np.arange(len(account_ids)).repeat(len(rows))
    product = np.tile(np.array(rows, dtype=np.int32), len(account_ids))
    found = state.part(Levers).for_pairs(account_rows, account_ids, account, product, now)
    return found.reshape(len(account_ids), len(rows)).round(6).tolist()


def parts(client: TestClient, product_id: str, account_id: str = "a1") -> list[tuple[str, str, float]]:
    state = state_of(client)
    row, account = state.part(CatalogueView).products.row_of(product_id), state.accounts.row_of(account_id)
    assert row is not None
    made = state.part(Levers).parts_for(NO_ROW if account is None else account, account_id, row, NOON)
    return [(part.kind, part.key, part.percent) for part in made]


def sell_every_day(client: TestClient, account_id: str = "a1") -> None:
    """Sell ten units of beans on each of the two hundred days before March 1st."""
    orders = [
        {
            "order_id": f"d-{day}",
            "account_id": account_id,
            "ordered_at": (NOON - timedelta(days=day)).isoformat(),
            "lines": [line("beans", 10)],
        }
        for day in range(1, 201)
    ]
    assert client.post("/v1/orders", json=orders).json()["rejected"] == 0


def put(client: TestClient, path: str, percent: float) -> Any:
    return client.put(f"{WEIGHTS}/{path}", json={"percent": percent})


def test_without_goals_and_weights_every_lever_is_1(client: TestClient) -> None:
    assert levers(client) == [[1, 1, 1]]
    assert parts(client, "beans") == []


def test_percentages_are_added_up_and_bounded(client: TestClient) -> None:
    assert put(client, "lines/coffee", 20).status_code == 200
    put(client, "products/beans", 15)
    assert levers(client) == [[1.35, 1.2, 1]]
    assert parts(client, "beans") == [("weight", "coffee", 20), ("weight", "beans", 15)]

    put(client, "products/beans", 100)
    put(client, "lines/coffee", 50)
    put(client, "lines/machines", -50)
    assert levers(client) == [[2, 1.5, 0.5]]

    put(client, "products/kettle", -30)
    assert levers(client)[0][2] == 0.5
    client.delete(f"{WEIGHTS}/lines/machines")
    assert levers(client)[0][2] == 0.7
    listed = client.get(WEIGHTS).json()["items"]
    assert [(item["kind"], item["name"], item["percent"]) for item in listed] == [
        ("lines", "coffee", 50),
        ("products", "beans", 100),
        ("products", "kettle", -30),
    ]


@pytest.mark.parametrize(
    ("path", "percent", "status", "code"),
    [
        ("lines/tea", 10, 409, "scope-matches-nothing"),
        ("lines/coffee", -51, 422, "request-invalid"),
        ("lines/coffee", 101, 422, "request-invalid"),
        ("colours/red", 10, 422, "request-invalid"),
    ],
)
def test_a_weight_that_is_not_valid_is_refused(
    client: TestClient, path: str, percent: float, status: int, code: str
) -> None:
    answer = put(client, path, percent)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(WEIGHTS).json()["items"] == []
    assert client.delete(f"{WEIGHTS}/lines/coffee").json()["code"] == "unknown-weight"


def test_a_goal_that_is_behind_lifts_its_scope_until_it_is_met(client: TestClient) -> None:
    sell_every_day(client)
    set_goal(client, target=1.15 * 10 * 31)

    percent = progress(client)["lever_percent"]
    assert progress(client)["status"] == "behind"
    assert 0 < percent < 100
    factor = round(1 + percent / 100, 6)
    assert levers(client) == [[factor, factor, 1]]
    assert parts(client, "milk") == [("goal", "coffee", percent)]

    client.patch("/v1/goals/coffee", json={"is_enabled": False})
    assert levers(client) == [[1, 1, 1]]
    client.patch("/v1/goals/coffee", json={"is_enabled": True})
    assert levers(client) == [[factor, factor, 1]]
    order = {"order_id": "big", "ordered_at": NOON.isoformat(), "lines": [line("beans", 1_000)]}
    client.post("/v1/orders", json=[order])
    assert progress(client)["status"] == "met"
    assert levers(client) == [[1, 1, 1]]


def test_a_goal_lifts_in_its_period_alone(client: TestClient) -> None:
    sell_every_day(client)
    set_goal(client, target=600)

    assert levers(client, now=NOON - timedelta(days=1)) == [[1, 1, 1]]
    assert levers(client)[0][0] > 1
    assert levers(client, now=NOON + timedelta(days=31)) == [[1, 1, 1]]


def test_a_goal_of_a_segment_lifts_the_offers_of_its_accounts_alone(client: TestClient) -> None:
    members = [{"account_id": key, "attributes": {"sector": "public"}} for key in ("a1", "new")]
    client.post("/v1/accounts", json=[*members, {"account_id": "a2", "attributes": {"sector": "private"}}])
    rule = {"attribute": "sector", "op": "eq", "value": "public"}
    client.post("/v1/segments", json={"name": "Public", "rule": rule})
    sell_every_day(client)
    set_goal(client, target=1.15 * 10 * 31, segment_id="custom.public", max_lever=3)
    put(client, "lines/coffee", 10)

    percent = progress(client)["lever_percent"]
    lifted = pytest.approx(1.1 + percent / 100)
    assert percent > 0
    assert levers(client, ("a1", "a2", "new", None)) == [[lifted, lifted, 1], [1.1, 1.1, 1]] * 2


def test_a_higher_bound_of_a_goal_holds_for_its_pairs(client: TestClient) -> None:
    sell_every_day(client)
    set_goal(client, target=5_000, max_lever=4)
    put(client, "products/kettle", 100)

    assert progress(client)["status"] == "out-of-reach"
    assert levers(client) == [[4, 4, 2]]
