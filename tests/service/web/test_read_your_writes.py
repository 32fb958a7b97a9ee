"""One parser reads X-Min-Sequence, whichever route it is sent to."""

import pytest
from starlette.testclient import TestClient

ROUTES = [
    ("GET", "/v1/recommendations/a-1", None),
    ("POST", "/v1/recommendations", {"account_id": "a-1"}),
    ("POST", "/v1/recommendations/batch", {"account_ids": ["a-1"]}),
    ("GET", "/v1/accounts/a-1", None),
    ("GET", "/v1/segments", None),
    ("GET", "/v1/segments/all.accounts", None),
    ("POST", "/v1/segments/preview", {"rule": {"owns": {"lines": ["line-1"]}}}),
    ("GET", "/v1/products/p-7/targets", None),
    ("GET", "/v1/accounts/do-not-pitch", None),
    ("GET", "/v1/whitespace", None),
    ("GET", "/v1/accounts/a-1/whitespace", None),
]


def test_what_is_not_a_sequence_number_is_refused_by_every_route_alike(shop_client: TestClient) -> None:
    for header in (b"1.0", b"+1", b" 1", b"-1", b"1_0", b"", b"x", b"\xb2", b"9" * 19, b"0" * 20):
        answers = []
        for method, path, body in ROUTES:
            answer = shop_client.request(method, path, json=body, headers=[(b"X-Min-Sequence", header)])
            answers.append((answer.status_code, answer.json().get("code"), answer.json().get("errors")))

        assert answers == [answers[0]] * len(ROUTES), header
        assert answers[0][:2] == (422, "request-invalid"), header
        assert answers[0][2][0]["loc"] == ["header", "X-Min-Sequence"], header


@pytest.mark.parametrize("header", ["0", "1", "01"])
def test_an_applied_change_is_not_waited_for(shop_client: TestClient, header: str) -> None:
    for method, path, body in ROUTES:
        assert shop_client.request(method, path, json=body, headers={"X-Min-Sequence": header}).status_code == 200


def test_a_polled_response_that_is_kept_waits_for_the_change_too(shop_client: TestClient) -> None:
    first = shop_client.get("/v1/segments")

    later = shop_client.get("/v1/segments", headers={"X-Min-Sequence": "999999"})
    invalid = shop_client.get("/v1/segments", headers={"X-Min-Sequence": "+1"})

    assert first.status_code == 200
    assert (later.status_code, later.json()["code"]) == (503, "sequence-not-reached")
    assert (invalid.status_code, invalid.json()["code"]) == (422, "request-invalid")
