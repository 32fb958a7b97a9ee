"""What counts towards goals, and that memory always holds what the database does."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.base.time_zones import day_start, days_since_epoch
from service.goals.days import days_of_hours, equal_days
from service.goals.live import load
from service.readmodel.goals import AccountSales, DailySales, Goals
from service.sync.artifact_holder import ArtifactHolder
from service.sync.sections import ChangeSet
from tests.service.conftest import make_key, part_of, running
from tests.service.goals.conftest import line, progress, sell, set_goal

MONEY = {"measure": "revenue", "target": 10_000}


def booked(client: TestClient, goal_id: str = "coffee") -> float:
    return float(progress(client, goal_id)["booked"])


def test_lines_of_the_scope_count_by_the_day_of_their_order(client: TestClient) -> None:
    set_goal(client)
    sell(client, "before", "2024-02-29T23:59:59Z", line("beans", 5))
    sell(client, "first", "2024-03-01T00:00:00Z", line("beans", 2), line("kettle", 7))
    sell(client, "guest", "2024-03-02", line("milk", 3), account_id=None)

    assert booked(client) == 2 + 3
    assert progress(client)["attained"] == (2 + 3) / 100


def test_days_are_of_the_goals_time_zone(client: TestClient) -> None:
    set_goal(client, timezone="Asia/Kolkata")
    sell(client, "before", "2024-02-29T18:29:59Z", line("beans", 5))
    sell(client, "after", "2024-02-29T18:30:00Z", line("beans", 2))

    assert booked(client) == 2


def test_a_return_or_a_cancellation_lowers_progress_once_and_a_met_goal_is_behind_again(client: TestClient) -> None:
    set_goal(client, **MONEY)
    sell(client, "o-1", "2024-03-01", line("beans", 4, 6_000))
    sell(client, "o-2", "2024-03-01", line("milk", 4, 4_000))
    assert (booked(client), progress(client)["status"]) == (10_000, "met")

    for _ in range(2):
        sell(client, "o-3", "2024-03-01", line("beans", -1, 1_500))
        assert booked(client) == 10_000 - 1_500
    for _ in range(2):
        sell(client, "o-2", "2024-03-01", line("milk", 4, 4_000), status="cancelled")
        assert booked(client) == 10_000 - 1_500 - 4_000

    assert progress(client)["status"] != "met"


def test_an_order_that_is_moved_counts_on_its_new_day_alone(client: TestClient) -> None:
    set_goal(client)
    sell(client, "o-1", "2024-03-01", line("beans", 4))

    sell(client, "o-1", "2024-02-01", line("beans", 4))

    assert booked(client) == 0


def test_other_currencies_are_converted_at_the_rate_of_the_day_or_reported(client: TestClient) -> None:
    set_goal(client, **MONEY)
    sell(client, "o-1", "2024-03-01", line("beans", 1, 1_000), currency="EUR")
    sell(client, "o-2", "2024-03-01", line("beans", 1, 2_000), currency="USD")
    assert (booked(client), progress(client)["unvalued_lines"]) == (1_000, 1)

    rate = {"base_currency": "USD", "quote_currency": "EUR", "valid_from": "2024-01-01", "rate": 0.9}
    client.post("/v1/exchange-rates", json=[rate])

    assert (booked(client), progress(client)["unvalued_lines"]) == (1_000 + 2_000 * 0.9, 0)
    client.delete("/v1/exchange-rates/USD-EUR-2024-01-01")
    assert (booked(client), progress(client)["unvalued_lines"]) == (1_000, 1)


def test_margin_is_quantity_times_what_the_catalogue_says(client: TestClient) -> None:
    set_goal(client, measure="margin", target=1_000)
    sell(client, "o-1", "2024-03-01", line("beans", 3, 9_999))

    assert booked(client) == 3 * 100
    client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "margin_minor": 150}])
    assert booked(client) == 3 * 150
    client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "margin_minor": None}])
    assert (booked(client), progress(client)["unvalued_lines"]) == (0, 1)


def test_a_change_of_the_catalogue_changes_what_counts(client: TestClient) -> None:
    set_goal(client)
    sell(client, "o-1", "2024-03-01", line("kettle", 3))
    assert booked(client) == 0

    client.post("/v1/products", json=[{"product_id": "kettle", "name": "Kettle", "line": "coffee"}])

    assert booked(client) == 3


def test_variants_count_with_a_product_that_is_named(client: TestClient) -> None:
    set_goal(client, scope={"products": ["beans"]})
    sell(client, "o-1", "2024-03-01", line("beans-dark", 3))
    assert booked(client) == 0

    client.post("/v1/products", json=[{"product_id": "beans-dark", "name": "Dark", "parent_product_id": "beans"}])

    assert booked(client) == 3


def test_a_goal_of_a_segment_counts_who_is_in_it_now(client: TestClient) -> None:
    rule = {"attribute": "sector", "op": "eq", "value": "public"}
    client.post("/v1/accounts", json=[{"account_id": "a1", "attributes": {"sector": "public"}}])
    client.post("/v1/segments", json={"name": "Public", "rule": rule})
    set_goal(client, segment_id="custom.public")
    sell(client, "o-1", "2024-03-01", line("beans", 3), account_id="a1")
    sell(client, "o-2", "2024-03-01", line("beans", 4), account_id="new")
    sell(client, "o-3", "2024-03-01", line("beans", 9), account_id=None)
    assert booked(client) == 3

    client.post("/v1/accounts", json=[{"account_id": "new", "attributes": {"sector": "public"}}])
    assert booked(client) == 3 + 4
    client.post("/v1/accounts", json=[{"account_id": "a1", "attributes": {"sector": "private"}}])
    assert booked(client) == 4
    client.delete("/v1/segments/custom.public")
    assert booked(client) == 0


def test_an_erased_accounts_orders_go_on_to_count_unless_they_are_deleted(client: TestClient) -> None:
    set_goal(client)
    sell(client, "o-1", "2024-03-01", line("beans", 3), account_id="p1")
    sell(client, "o-2", "2024-03-01", line("beans", 4), account_id="p2")

    client.delete("/v1/accounts/p1")
    assert booked(client) == 3 + 4
    client.delete("/v1/accounts/p2?orders=delete")
    assert booked(client) == 3


def test_a_won_deal_counts(client: TestClient) -> None:
    set_goal(client)
    deal = {"deal_id": "d-1", "account_id": "a1", "stage": "Won", "closed_at": "2024-03-01"}
    client.post("/v1/deals", json=[{**deal, "lines": [{"product_id": "beans", "quantity": 6}]}])

    assert booked(client) == 6


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])
def test_days_of_sql_are_those_of_the_calendar(timezone: str) -> None:
    first, end = days_since_epoch(date(2023, 1, 1)), days_since_epoch(date(2024, 1, 1))
    parts = equal_days(first, end, timezone)

    begins = [part.begin for part in parts]
    for hour in range(0, 24 * 365, 5):
        instant = datetime(2023, 1, 1, 12, tzinfo=UTC) + timedelta(hours=hour)
        second = int(instant.timestamp())
        if second >= parts[-1].end:
            continue
        part = parts[int(np.searchsorted(begins, second, side="right")) - 1]
        is_usual = (part.end - part.begin) % 86_400 == 0
        day = part.first_day + (second - part.begin) // 86_400 if is_usual else part.first_day
        assert day_start(day, timezone) <= instant < day_start(day + 1, timezone)
        assert day in days_of_hours([instant.isoformat()[:13]], timezone)


# --- memory equals a fresh load ---------------------------------------------------------------------------------------

DAYS = st.sampled_from(["2023-11-05T23:30:00Z", "2024-02-29T22:45:00Z", "2024-03-01T09:00:00Z", "2024-03-02T00:00:00Z"])
ORDERS = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["o-1", "o-2", "o-3"]),
        "account_id": st.sampled_from(["a1", "a2", "new", None]),
        "ordered_at": DAYS,
        "currency": st.sampled_from(["EUR", "USD", None]),
        "status": st.sampled_from(["placed", "placed", "cancelled"]),
        "lines": st.lists(
            st.builds(
                line,
                st.sampled_from(["beans", "milk", "kettle", "beans-dark"]),
                st.sampled_from([-2, -1, 1, 3]),
                st.sampled_from([None, 500]),
            ),
            min_size=1,
            max_size=3,
        ),
    }
)
PRODUCTS = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from(["beans", "kettle", "beans-dark"]),
        "name": st.just("x"),
        "line": st.sampled_from(["coffee", "machines", None]),
        "category": st.sampled_from(["hot", None]),
        "parent_product_id": st.none(),
        "margin_minor": st.sampled_from([None, 50, 70]),
        "currency": st.sampled_from(["EUR", "USD"]),
    }
)
RATES = st.fixed_dictionaries(
    {
        "base_currency": st.just("USD"),
        "quote_currency": st.just("EUR"),
        "valid_from": st.sampled_from(["2023-01-01", "2024-03-01"]),
        "rate": st.sampled_from([0.5, 2.0]),
    }
)
ACCOUNTS = st.fixed_dictionaries(
    {"account_id": st.sampled_from(["a1", "new"]), "attributes": st.sampled_from([{"s": 1}, {"s": 2}])}
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("/v1/orders"), ORDERS),
        st.tuples(st.just("/v1/orders"), ORDERS),
        st.tuples(st.just("/v1/products"), PRODUCTS),
        st.tuples(st.just("/v1/exchange-rates"), RATES),
        st.tuples(st.just("/v1/accounts"), ACCOUNTS),
        st.tuples(st.just("erase"), st.sampled_from(["a1", "new"])),
        st.tuples(st.just("patch"), st.sampled_from([{"lines": ["machines"]}, {"products": ["beans", "milk"]}])),
    ),
    max_size=8,
)
SETS: tuple[dict[str, Any], ...] = (
    {"goal_id": "units", "timezone": "Europe/Berlin"},
    {"goal_id": "money", "measure": "revenue", "target": 1000},
    {"goal_id": "margin", "measure": "margin", "target": 1000, "scope": {"products": ["beans", "kettle"]}},
    {"goal_id": "public", "measure": "margin", "target": 1000, "segment_id": "custom.public"},
)


def in_memory(goals: Goals) -> dict[str, Any]:
    described: dict[str, Any] = {}
    rows: list[Any]
    for goal_id, sales in goals.sales.items():
        products = dict(goals.scoped_products[goal_id])
        if isinstance(sales, DailySales):
            days = np.flatnonzero((sales.value != 0) | (sales.unvalued != 0))
            rows = [(int(day), float(sales.value[day]), int(sales.unvalued[day])) for day in days]
        else:
            assert isinstance(sales, AccountSales)
            columns = (sales.account_ids, sales.day, sales.value, sales.unvalued)
            rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
            rows = [row for row in rows if row[2] or row[3]]
        described[goal_id] = (goals.by_id[goal_id], rows, products)
    return described


@given(changes=CHANGES)
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_changes_memory_equals_a_fresh_load(
    prepared: Callable[[], TestClient], engine: Engine, changes: list[tuple[str, Any]]
) -> None:
    client = prepared()

    for kind, change in changes:
        if kind == "erase":
            client.delete(f"/v1/accounts/{change}?orders=delete")
        elif kind == "patch":
            assert client.patch("/v1/goals/units", json={"scope": change}).status_code in (200, 409)
        else:
            answer = client.post(kind, json=[change])
            assert answer.json()["rejected"] == 0, answer.text

    current = part_of(client, ArtifactHolder).current
    assert current is not None
    memory = in_memory(current.state.part(Goals))
    current.state.replace_part(Goals())
    with engine.connect() as connection:
        load(current.state, connection, ChangeSet({}, current.state.sequence))
    assert memory == in_memory(current.state.part(Goals))


@pytest.fixture
def prepared(client: TestClient) -> Callable[[], TestClient]:
    client.post("/v1/accounts", json=[{"account_id": "a1", "attributes": {"s": 1}}])
    rule = {"attribute": "s", "op": "eq", "value": 1}
    assert client.post("/v1/segments", json={"name": "Public", "rule": rule}).status_code == 201
    for fields in SETS:
        set_goal(client, **fields)
    return lambda: client


def test_another_worker_and_a_restart_hold_the_same(client: TestClient, settings: Settings) -> None:
    set_goal(client)
    sell(client, "o-1", "2024-03-01", line("beans", 3))

    with running(settings, make_key(settings.database_url, "admin")) as another:
        assert booked(another) == 3
        sell(client, "o-2", "2024-03-01", line("beans", 2), account_id=None)
        sequence = str(client.get("/v1/recommendations/a1").json()["sequence"])
        answer = another.get("/v1/goals/coffee", headers={"X-Min-Sequence": sequence}).json()
        assert answer["progress"]["booked"] == 3 + 2
