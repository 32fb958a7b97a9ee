"""Identifiers in paths may hold any character; the paths of other applications are unaffected."""

import pytest
from starlette.convertors import CONVERTOR_TYPES
from starlette.testclient import TestClient

import service.server.app  # noqa: F401  It declares every route.

ODD = "a%2Fb%0Ac%20d"


def test_starlette_s_own_convertors_are_left_as_they_are() -> None:
    assert CONVERTOR_TYPES["path"].regex == ".*"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/v1/products/{ODD}", "unknown-product"),
        (f"/v1/products/{ODD}/relationships", "unknown-product"),
        (f"/v1/products/{ODD}/targets", "unknown-product"),
        (f"/v1/accounts/{ODD}", "unknown-account"),
        (f"/v1/accounts/{ODD}/whitespace", "unknown-account"),
        (f"/v1/whitespace/cells/{ODD}/all.accounts/accounts", "unknown-row"),
    ],
)
def test_an_identifier_may_hold_slashes_and_line_breaks(shop_client: TestClient, path: str, code: str) -> None:
    answer = shop_client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", f"/v1/accounts/{ODD}", "DELETE, GET"),
        ("HEAD", f"/v1/accounts/{ODD}", "DELETE, GET"),
        ("DELETE", f"/v1/recommendations/{ODD}", "GET"),
        ("HEAD", f"/v1/recommendations/{ODD}", "GET"),
        ("GET", "/v1/recommendations", "POST"),
        ("DELETE", f"/v1/products/{ODD}", "GET"),
    ],
)
def test_another_method_of_such_a_path_is_refused(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
