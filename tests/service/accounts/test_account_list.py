"""The list of accounts: search, filters, pages."""

from typing import Any

import pytest
from starlette.testclient import TestClient

ACCOUNTS: list[dict[str, Any]] = [
    {"account_id": "1", "name": "MÜLLER & Söhne", "attributes": {"sector": "medical", "size": 40, "listed": True}},
    {"account_id": "2", "name": "100 % Cotton", "parent_account_id": "1", "attributes": {"size": 40.5}},
    {"account_id": "3", "name": "under_score", "is_strategic": True, "attributes": {"sector": "true", "listed": False}},
    {"account_id": "4", "attributes": {"sector": ["medical"], "name with: colon": 'quo"te'}},
    {"account_id": "back\\slash", "name": "Ends", "attributes": {'a"b': "x", "[0]": "y"}},
]


@pytest.fixture
def stored(api: TestClient) -> TestClient:
    """A client of an application with these accounts."""
    assert api.post("/v1/accounts", json=ACCOUNTS).json()["rejected"] == 0
    return api


def listed(api: TestClient, **query: Any) -> list[str]:
    """The identifiers of the accounts that a query lists."""
    answer = api.get("/v1/accounts", params=query)
    assert answer.status_code == 200, answer.text
    return [item["account_id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "müller"}, ["1"]),
        ({"search": "SÖHNE"}, ["1"]),
        ({"search": "%"}, ["2"]),
        ({"search": "_"}, ["3"]),
        ({"search": "\\"}, ["back\\slash"]),
        ({"search": "BACK"}, ["back\\slash"]),
        ({"search": "nobody"}, []),
        ({"attribute": "sector:medical"}, ["1"]),
        ({"attribute": "size:40"}, ["1"]),
        ({"attribute": "size:40.5"}, ["2"]),
        ({"attribute": "listed:true"}, ["1"]),
        ({"attribute": "listed:false"}, ["3"]),
        ({"attribute": "listed:1"}, []),
        ({"attribute": "sector:true"}, ["3"]),
        ({"attribute": "$:x"}, []),
        ({"attribute": "$.a[:x"}, []),
        ({"attribute": 'a"b:x'}, ["back\\slash"]),
        ({"attribute": "[0]:y"}, ["back\\slash"]),
        ({"attribute": ["sector:medical", "size:40"]}, ["1"]),
        ({"attribute": ["sector:medical", "size:41"]}, []),
        ({"is_strategic": True}, ["3"]),
        ({"parent_account_id": "1"}, ["2"]),
        ({"parent_account_id": "1", "search": "nobody"}, []),
    ],
)
def test_filters_find_the_accounts_that_meet_them(
    stored: TestClient, query: dict[str, Any], expected: list[str]
) -> None:
    assert listed(stored, **query) == expected


def test_an_account_is_listed_as_it_is_stored(stored: TestClient) -> None:
    stored.put("/v1/accounts/2/consent", json={"marketing": "objected"})

    (item,) = stored.get("/v1/accounts", params={"search": "cotton"}).json()["items"]

    assert item.pop("updated_at").endswith("Z")
    assert item == {
        "account_id": "2",
        "name": "100 % Cotton",
        "parent_account_id": "1",
        "parent_name": "MÜLLER & Söhne",
        "attributes": {"size": 40.5},
        "is_strategic": False,
        "marketing": "objected",
        "is_stub": False,
    }


def test_pages_hold_every_account_once(stored: TestClient) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = stored.get("/v1/accounts", params={"limit": 2, **cursor}).json()
        found += [item["account_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert sorted(found) == sorted(account["account_id"] for account in ACCOUNTS)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("attribute", ["sector", ":medical", ""])
def test_an_attribute_that_is_no_pair_is_refused(stored: TestClient, attribute: str) -> None:
    answer = stored.get("/v1/accounts", params={"attribute": attribute})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "attribute", 0]


def test_a_segment_narrows_the_list_down_page_by_page(shop_client: TestClient) -> None:
    members = [
        item["account_id"]
        for item in shop_client.get("/v1/segments/all.accounts/accounts", params={"limit": 500}).json()["items"]
    ]
    named = {f"a-{digit}" for digit in range(10)} | {"a-1" + str(digit) for digit in range(10)}
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query: dict[str, Any] = {"segment": "all.accounts", "search": "a-1", "limit": 7, **cursor}
        page = shop_client.get("/v1/accounts", params=query).json()
        found += [item["account_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert found == [account_id for account_id in members if account_id.startswith("a-1")]
    assert named & set(found) == {"a-1"} | {"a-1" + str(digit) for digit in range(10)}


def test_an_unknown_segment_is_named(stored: TestClient) -> None:
    answer = stored.get("/v1/accounts", params={"segment": "nope"})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-segment")
