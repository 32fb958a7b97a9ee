"""What accounts above and below own counts where a policy says so: at once, and after a restart; on both databases."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.policies.live import load
from service.readmodel.active_policies import ActivePolicies
from service.sync.artifact_holder import ArtifactHolder
from service.sync.sections import ChangeSet
from tests.service.conftest import make_key, part_of, running
from tests.service.sync.conftest import offered

URL: Final = "/v1/policies"
BUILT_IN: Final = f"{URL}/built-in.owned-by-parent"
ACCOUNTS: Final = ("a0", "a1", "a5", "a50", "new", "other")
"""The first three own beans, and a1 a grinder; the others own nothing."""
PRODUCTS: Final = ("beans", "kettle", "mug")


def link(client: TestClient, **parents: str | None) -> None:
    rows = [{"account_id": child, "parent_account_id": parents[child]} for child in parents]
    assert client.post("/v1/accounts", json=rows).json()["rejected"] == 0


def buy(client: TestClient, account_id: str, product_id: str, quantity: int = 1) -> None:
    line = {"product_id": product_id, "quantity": quantity}
    order = {"order_id": f"{account_id} {product_id} {quantity}", "account_id": account_id, "ordered_at": "2024-03-01"}
    assert client.post("/v1/orders", json=[{**order, "lines": [line]}]).json()["rejected"] == 0


def withhold_mugs(client: TestClient, relation: str | None, product_id: str = "kettle") -> None:
    """Withhold mugs where a related account owns a kettle."""
    rule = {"owns": {"products": [product_id]}, "by": relation}
    fields = {"name": f"No mugs, {relation}", "type": "suitability", "scope": {"products": ["mug"]}}
    answer = client.post(URL, json={**fields, "withhold_if": rule})
    assert answer.status_code == 201, answer.text
    shown = {key: value for key, value in rule.items() if value is not None}
    assert answer.json()["withhold_if"] == shown


def withhold_by_contract(client: TestClient) -> None:
    """Withhold mugs where an account above has a contract."""
    rule = {"attribute": "contract", "op": "eq", "value": "frame", "by": "parent"}
    fields = {"name": "No mugs by contract", "type": "suitability", "scope": {"products": ["mug"]}}
    answer = client.post(URL, json={**fields, "withhold_if": {"all": [rule, {"not": {"not": rule}}]}})
    assert answer.status_code == 201, answer.text


def sign(client: TestClient, account_id: str, contract: str | None) -> None:
    row = {"account_id": account_id, "attributes": {} if contract is None else {"contract": contract}}
    assert client.post("/v1/accounts", json=[row]).json()["rejected"] == 0


def withheld(client: TestClient) -> set[str]:
    return {account_id for account_id in ACCOUNTS if "mug" not in offered(client, account_id)}


@pytest.mark.parametrize(
    ("relation", "expected"), [("parent", {"a1", "a50", "new"}), ("group", {"a0", "a5"}), (None, {"a0"})]
)
def test_a_policy_follows_orders_of_related_accounts_at_once(
    client: TestClient, relation: str | None, expected: set[str]
) -> None:
    link(client, a0="a5", a1="a0", a50="a1", new="a1")
    withhold_mugs(client, relation)
    assert withheld(client) == set()

    buy(client, "a0", "kettle")
    bought = withheld(client)
    buy(client, "a0", "kettle", -1)

    assert bought == expected
    assert withheld(client) == set()


def test_a_policy_follows_what_is_stored_of_accounts_above_at_once(client: TestClient, settings: Settings) -> None:
    link(client, a0="a5", a1="a0", new="a1", other="a50")
    sign(client, "a5", "frame")
    sign(client, "a50", "spot")

    withhold_by_contract(client)
    first = withheld(client)
    sign(client, "a5", "spot")
    ended = withheld(client)
    sign(client, "a1", "frame")
    with running(settings, make_key(settings.database_url, "admin")) as another:
        there = withheld(another)

    assert first == {"a0", "a1", "new"}
    assert ended == set()
    assert withheld(client) == there == {"new"}


def test_what_is_not_known_of_an_account_above_withholds(client: TestClient) -> None:
    link(client, a1="a50", new="a1")
    sign(client, "other", "frame")

    withhold_by_contract(client)

    assert withheld(client) == {"a1", "new"}  # a50 has no contract; who has no parent is not concerned


def test_it_follows_accounts_that_move_and_are_erased(client: TestClient) -> None:
    withhold_mugs(client, "parent")
    withhold_mugs(client, "group", "milk")
    buy(client, "a50", "kettle")
    buy(client, "new", "milk")

    steps: list[set[str]] = []
    for parents in ({"a1": "a50", "new": "a1"}, {"new": "a5"}, {"a1": None}, {"other": "a50"}):
        link(client, **parents)
        steps.append(withheld(client))
    client.delete("/v1/accounts/new")
    client.delete("/v1/accounts/a50")

    assert steps == [{"a1", "new", "a50"}, {"new", "a1", "a5"}, {"new", "a5"}, {"new", "a5", "other"}]
    assert withheld(client) == set()


def test_a_policy_that_comes_later_knows_what_was_there_before(client: TestClient, settings: Settings) -> None:
    buy(client, "new", "kettle")
    link(client, a1="new", other="a1")
    withhold_mugs(client, "parent")

    here = withheld(client)
    with running(settings, make_key(settings.database_url, "admin")) as another:
        there = withheld(another)

    assert here == there == {"a1", "other"}


CHANGES: Final = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.sampled_from(ACCOUNTS), st.sampled_from(PRODUCTS)),
        st.tuples(st.just("return"), st.sampled_from(ACCOUNTS), st.sampled_from(PRODUCTS)),
        st.tuples(st.just("link"), st.sampled_from(ACCOUNTS), st.sampled_from([*ACCOUNTS, "holding", None])),
        st.tuples(st.just("sign"), st.sampled_from(ACCOUNTS), st.sampled_from(["frame", "spot", None])),
        st.tuples(st.just("erase"), st.sampled_from(["a1", "a50", "new"]), st.none()),
    ),
    max_size=10,
)


def change(client: TestClient, kind: str, account_id: str, other: str | None) -> None:
    if kind == "erase":
        client.delete(f"/v1/accounts/{account_id}")
    elif kind == "sign":
        sign(client, account_id, other)
    elif kind == "link":
        client.post("/v1/accounts", json=[{"account_id": account_id, "parent_account_id": other}])
    else:
        buy(client, account_id, str(other), 1 if kind == "buy" else -2)


def in_memory(client: TestClient) -> dict[str, bytes]:
    current = part_of(client, ArtifactHolder).current
    assert current is not None
    row_of, terms = current.state.content.account_ids.row_of, current.state.part(ActivePolicies).accounts
    return {
        account_id: terms.values(account_id, -1 if (row := row_of(account_id)) is None else row)
        for account_id in (*ACCOUNTS, "holding")
    }


@given(changes=CHANGES)
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_changes_memory_equals_a_fresh_load(
    prepared: Callable[[], TestClient], engine: Engine, changes: list[tuple[str, str, str | None]]
) -> None:
    client = prepared()

    for each in changes:
        change(client, *each)

    memory, current = in_memory(client), part_of(client, ArtifactHolder).current
    assert current is not None
    with engine.connect() as connection:
        load(current.state, connection, ChangeSet({}, current.state.sequence))
    assert memory == in_memory(client)


@pytest.fixture
def prepared(client: TestClient) -> Callable[[], TestClient]:
    """A client with policies of all relations; changes of one example are there for the next."""
    for relation in ("parent", "group", None):
        withhold_mugs(client, relation)
    sign(client, "a0", "frame")
    withhold_by_contract(client)
    return lambda: client


def test_a_preview_counts_parents(client: TestClient) -> None:
    first = client.get("/v1/recommendations/a1?limit=3").json()["offers"][0]["product_id"]
    link(client, a1="a50")
    buy(client, "a50", "kettle")
    policy: dict[str, Any] = {"name": "x", "type": "suitability", "scope": {"products": [first]}}
    policy["withhold_if"] = {"owns": {"products": ["kettle"]}, "by": "parent"}

    answer = client.post(f"{URL}/preview", json={"policy": policy, "sample": 60}).json()

    assert [example["account_id"] for example in answer["examples"]] == ["a1"]
    assert answer["withheld"] == 1


def test_what_a_parent_owns_is_withheld_once_the_built_in_policy_is_switched_on(client: TestClient) -> None:
    buy(client, "a50", "kettle")
    link(client, a1="a50", new="a1")
    shown = client.get(BUILT_IN).json()
    before = {account_id for account_id in ACCOUNTS if "kettle" in offered(client, account_id)}

    client.patch(BUILT_IN, json={"is_enabled": True})
    after = {account_id for account_id in ACCOUNTS if "kettle" in offered(client, account_id)}
    answer = client.get("/v1/recommendations/new?limit=20").json()
    buy(client, "a50", "kettle", -1)
    returned = "kettle" in offered(client, "new")
    client.patch(BUILT_IN, json={"is_enabled": False})

    assert (shown["is_enabled"], shown["can_be_switched_off"]) == (False, True)
    assert before - after == {"a1", "new"}
    assert answer["withheld"]["owned-by-parent"] == 2 + 1  # what a1 owns, and the kettle
    assert returned


def test_the_built_in_policy_can_be_previewed(client: TestClient) -> None:
    first = client.get("/v1/recommendations/a1?limit=3").json()["offers"][0]["product_id"]
    buy(client, "a50", first)
    link(client, a1="a50")

    proposal = {"policy_id": "built-in.owned-by-parent", "change": {"is_enabled": True}, "sample": 60}
    answer = client.post(f"{URL}/preview", json=proposal)

    assert answer.status_code == 200, answer.text
    assert [example["account_id"] for example in answer.json()["examples"]] == ["a1"]
