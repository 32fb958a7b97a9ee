"""Every error is a problem with a stable code, documented in one place."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

import service
from service.base.errors import PROBLEMS, DomainError
from service.base.settings import Settings
from service.server.app import create_app

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"


def domain_errors() -> list[type[DomainError]]:
    """Every domain error of the service, wherever it is defined."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        importlib.import_module(module.name)
    errors, waiting = [], [DomainError]
    while waiting:
        children = waiting.pop().__subclasses__()
        errors += [child for child in children if child.__module__.startswith("service.")]
        waiting += children
    return sorted(set(errors), key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", domain_errors(), ids=lambda kind: kind.__name__)
def test_every_domain_error_is_in_the_table_and_in_the_contract(kind: type[DomainError]) -> None:
    assert kind.code in PROBLEMS
    assert kind.code != DomainError.code
    assert f"`{kind.code}`" in PAGE.read_text(encoding="utf-8")


def test_the_table_is_in_alphabetical_order_and_in_kebab_case() -> None:
    assert list(PROBLEMS) == sorted(PROBLEMS)
    assert all(code == code.lower() and " " not in code and "_" not in code for code in PROBLEMS)


class Raised(DomainError):
    """Stands for each code in turn."""

    def __init__(self, code: str) -> None:
        super().__init__("What happened.")
        self.code = code


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    """One application for all that only ask."""
    return shared_client


@pytest.fixture(scope="module")
def failing_client(shared_settings: Settings) -> Iterator[TestClient]:
    """An application with routes that fail in every way."""
    app = create_app(shared_settings)
    add_failures(app)
    with TestClient(app) as client:
        yield client


def add_failures(app: FastAPI) -> None:
    """Add the routes that fail."""

    @app.get("/raise/{code}")
    def raise_code(code: str) -> None:
        raise Raised(code)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("a secret of the inside")

    @app.get("/database")
    def database() -> None:
        raise OperationalError("SELECT secret", {}, Exception("no route to host 10.0.0.1"))


def assert_is_problem(answer: Any, status: int, code: str) -> None:
    """Check the form of a problem."""
    body = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:nextoffer:problem:{code}"
    assert body["title"] == PROBLEMS[code].title
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_domain_error_becomes_its_problem(failing_client: TestClient, code: str) -> None:
    answer = failing_client.get(f"/raise/{code}")

    assert_is_problem(answer, PROBLEMS[code].status, code)
    assert answer.json()["detail"] == "What happened."


def test_an_unknown_route_is_a_problem(client: TestClient) -> None:
    assert_is_problem(client.get("/nowhere"), 404, "route-not-found")
    assert_is_problem(client.get("/v1/recommendations"), 405, "method-not-allowed")
    assert_is_problem(client.get("/v1/recommendation/ann"), 404, "route-not-found")
    assert "/openapi.json" in client.get("/nowhere").json()["detail"]
    assert client.get("/v1/recommendations").json()["detail"] == "This path takes only POST."


def test_a_wrong_method_is_a_problem_that_names_the_right_one(client: TestClient) -> None:
    answer = client.delete("/v1/recommendations/ann")

    assert_is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"
    assert client.delete("/v1/products").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "BREW"])
def test_no_other_method_is_answered(client: TestClient, method: str) -> None:
    assert client.request(method, "/v1/recommendations/ann").status_code == 405


def test_a_crash_is_a_problem_that_tells_nothing_of_the_inside(failing_client: TestClient) -> None:
    answer = failing_client.get("/crash")

    assert_is_problem(answer, 500, "internal-error")
    assert "secret" not in answer.text


def test_a_database_that_does_not_answer_is_a_problem_that_tells_nothing_of_the_inside(
    failing_client: TestClient,
) -> None:
    answer = failing_client.get("/database")

    assert_is_problem(answer, 503, "database-unavailable")
    assert "10.0.0.1" not in answer.text


def test_a_body_that_is_too_large_is_a_problem_whether_announced_or_not(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 1024 * 1024

    assert_is_problem(client.post("/v1/orders", content=b" " * (16 * 1024 * 1024 + 1)), 413, "body-too-large")
    assert_is_problem(client.post("/v1/orders", content=chunks()), 413, "body-too-large")


def test_invalid_parameters_are_named_but_never_repeated(client: TestClient) -> None:
    answer = client.get("/v1/artifacts?limit=personal-data")

    assert_is_problem(answer, 422, "request-invalid")
    assert [error["loc"] for error in answer.json()["errors"]] == [["query", "limit"]]
    assert "personal-data" not in answer.text


def test_an_identifier_with_a_slash_is_found_in_a_path(client: TestClient) -> None:
    answer = client.get("/v1/recommendations/someone%2Felse")

    assert answer.status_code == 200
    assert answer.json()["account_id"] == "someone/else"


def test_mistakes_are_described_without_the_words_of_the_library(client: TestClient) -> None:
    date = client.get("/v1/orders", params={"ordered_after": "soon"}).json()["errors"][0]["message"]
    row = client.post("/v1/orders", json=[None]).json()["results"][0]["errors"][0]["reason"]

    assert date.startswith("is not an ISO 8601 date or time")
    assert row == "input should be an object"
