"""A rule that compares an attribute with a value of another type is refused when it is written."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.readmodel.attribute_types import RuleNeverMatches, check_attributes
from service.readmodel.rule_evaluation import matches
from service.readmodel.rule_grammar import AttributeRule
from tests.service.conftest import make_key, make_settings, running

STORED: dict[str, dict[str, Any]] = {
    "a1": {"employees": 120, "size": "120", "sector": "public", "since": "2024-01-31", "is_partner": True},
    "a2": {"employees": 80, "size": "80", "sector": "private", "since": "2024-02-01T10:00:00Z", "mixed": 1},
    "a3": {"employees": 3.5, "size": "9", "sector": "public", "mixed": "n/a", "tags": ["x"]},
}


def comparison(attribute: str, op: str, value: Any = None) -> dict[str, Any]:
    operands = {} if value is None else {"values" if isinstance(value, list) else "value": value}
    return {"attribute": attribute, "op": op, **operands}


@pytest.fixture
def client(sqlite_url: str, artifacts_dir: Any, version: str) -> Iterator[TestClient]:
    """An admin's client; attributes of a few accounts are stored."""
    with running(make_settings(sqlite_url, artifacts_dir), make_key(sqlite_url, "admin")) as made:
        rows = [{"account_id": account_id, "attributes": attributes} for account_id, attributes in STORED.items()]
        made.post("/v1/accounts", json=rows)
        yield made


REFUSED = [
    (
        comparison("size", "ge", 100),
        ("'size' is a text in 3 accounts (such as '120')", "Import the attribute as numbe"),
    ),
    (comparison("employees", "ge", "100"), ("'employees' is a number in 3 accounts", "without quotes: 100")),
    (comparison("employees", "eq", "120"), ("such as 120", "Write the number without quotes: 120")),
    (comparison("employees", "in", [120, "80"]), ("with '80', which is a text",)),
    (comparison("sector", "gt", "m"), ("gt orders numbers and dates", "compare texts with eq, ne, in or not_in")),
    (comparison("sector", "ge", "2024-01-01"), ("which is a date", "Import the attribute as dates")),
    (comparison("since", "ge", 2024), ("'since' is a date in 2 accounts",)),
    (comparison("is_partner", "eq", 1), ("'is_partner' is true or false in 1 account (such as true)",)),
    (comparison("sector", "eq", True), ("Import the attribute as true and false",)),
    (comparison("tags", "eq", "x"), ("a list or an object",)),
    (comparison("mixed", "eq", False), ("a number in 1 account (such as 1) and a text in 1 account (such as 'n/a')",)),
    (comparison("employes", "ge", 1), ("No account has an attribute 'employes'", "Did you mean employees?")),
    (comparison("turnover", "is_known"), ("No account has an attribute 'turnover'", "Import the attribute first")),
]


@pytest.mark.parametrize(("rule", "parts"), REFUSED)
def test_a_comparison_that_nothing_can_satisfy_is_refused_with_the_reason(
    rule: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(RuleNeverMatches) as refused:
        check_attributes(AttributeRule(**rule), STORED)

    assert [part for part in parts if part not in str(refused.value)] == []


def test_preview_creation_and_replacement_refuse_alike(client: TestClient) -> None:
    good, bad = comparison("employees", "ge", 100), {"any": [{"not": comparison("employees", "ge", "100")}]}
    client.post("/v1/segments", json={"name": "Large", "rule": good})

    answers = [
        client.post("/v1/segments/preview", json={"rule": bad}),
        client.post("/v1/segments", json={"name": "Other", "rule": bad}),
        client.put("/v1/segments/custom.large", json={"name": "Large", "rule": bad}),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "rule-never-matches")] * 3
    assert client.get("/v1/segments/custom.other").status_code == 404
    assert client.get("/v1/segments/custom.large").json()["definition"]["rule"] == good


@pytest.mark.parametrize(
    ("rule", "n"),
    [
        (comparison("employees", "ge", 80), 2),
        (comparison("employees", "in", [120, 3.5]), 2),
        (comparison("since", "gt", "2024-01-31"), 1),
        (comparison("since", "lt", "2024-02-01T12:00:00+02:00"), 1),
        (comparison("since", "le", "2024-02-01T12:00:00+02:00"), 2),
        (comparison("since", "eq", "2024-01-31"), 1),
        (comparison("sector", "eq", "unheard of"), 0),
        (comparison("mixed", "ge", 1), 1),
        (comparison("is_partner", "eq", True), 1),
        (comparison("tags", "is_known"), 1),
    ],
)
def test_a_comparison_of_one_type_counts_its_accounts(client: TestClient, rule: dict[str, Any], n: int) -> None:
    answer = client.post("/v1/segments/preview", json={"rule": rule})

    assert (answer.status_code, answer.json()["accounts"]) == (200, n)


def test_only_dates_are_before_and_after_a_date() -> None:
    class Columns:
        """Texts, of which one is a date."""

        n = 3

        def attribute(self, key: str) -> list[object]:
            return ["later", "2024-05-01", 20240501]

    rule = AttributeRule(attribute="since", op="ge", value="2024-01-01")

    assert matches(rule, Columns()).tolist() == [False, True, False]  # type: ignore[arg-type]
