"""JSON that is announced as a form, as curl -d does, is refused with what to add."""

import pytest
from starlette.testclient import TestClient

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "/v1/recommendations"),
        ("POST", "/v1/orders"),
        ("POST", "/v1/segments"),
        ("PUT", "/v1/accounts/ann/consent"),
        ("POST", "/v1/relationships"),
    ],
)
def test_json_that_is_announced_as_a_form_is_refused_with_the_header_to_add(
    shared_client: TestClient, method: str, url: str
) -> None:
    answer = shared_client.request(method, url, content=b"{}", headers=FORM)

    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unsupported")
    assert "-H 'Content-Type: application/json'" in answer.json()["detail"]
