"""Identifiers in paths may hold any character; the paths of other applications are unaffected."""

import re

import pytest
from starlette.convertors import CONVERTOR_TYPES
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.server.app import create_app
from service.server.openapi import document

ODD = "a%2Fb%0Ac%20d"
METHODS_OF_PATH = document(create_app(Settings()))["paths"]
BELOW_ACCOUNTS = [path for path in METHODS_OF_PATH if re.match("/v1/accounts/(?!{account_id}$)", path)]


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


@pytest.mark.parametrize("path", BELOW_ACCOUNTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_path_below_accounts_has_its_own_methods_alone(client: TestClient, path: str, method: str) -> None:
    allowed = sorted(method.upper() for method in METHODS_OF_PATH[path])
    if method in allowed:
        return

    answer = client.request(method, path.replace("{account_id}", ODD))

    assert (answer.status_code, answer.headers["Allow"]) == (405, ", ".join(allowed))
