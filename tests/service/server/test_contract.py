"""openapi.yaml is the contract: current, complete, and kept under hostile requests."""

import io
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)
from starlette.testclient import TestClient

from service.auth.keys import Scope
from service.base.logging import Logs
from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.server.app import create_app
from service.server.openapi import document, main, render
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world
from tests.service.conftest import NOON, SHOP_ORIGIN, make_key, make_settings, wait_until

PATH = Path(__file__).parents[3] / "openapi.yaml"
WITH_RULES = ("/v1/segments", "/v1/policies", "/v1/arbitration")
OPEN_ROUTES = {"/healthz", "/readyz"}
DOCUMENT = document(create_app(Settings()))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_the_file_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == render(create_app(Settings())), "run: python -m service.server.openapi"


def test_drift_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    absent = main(["--check"])
    main([])
    current = main(["--check"])
    (tmp_path / "openapi.yaml").write_text("openapi: 3.1.0\n")
    changed = main(["--check"])

    assert (absent, current, changed) == (1, 0, 1)


def test_rendering_does_not_depend_on_the_settings(tmp_path: Path) -> None:
    other = Settings(database_url=f"sqlite:///{tmp_path / 'x.db'}", max_rows_per_request=1)

    assert render(create_app(other)) == render(create_app(Settings()))


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_is_described(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]

    assert operation["tags"]
    assert operation["summary"]
    assert operation["description"]
    assert operation["operationId"].islower()
    assert bool(operation["security"]) == (path not in OPEN_ROUTES)


def test_operation_ids_are_unique() -> None:
    identifiers = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]

    assert len(set(identifiers)) == len(identifiers)


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    """One application for all that only ask."""
    return shared_client


@pytest.fixture(scope="module")
def key_of_scope(shared_settings: Settings) -> dict[str, str]:
    """One key for each scope."""
    return {scope: make_key(shared_settings.database_url, scope, rate_limit="100000/second") for scope in Scope}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_route_but_health_and_readiness_needs_a_key_with_one_of_its_scopes(
    client: TestClient, key_of_scope: dict[str, str], path: str, method: str
) -> None:
    operation = DOCUMENT["paths"][path][method]
    sufficient = {operation.get("x-required-scope"), *operation.get("x-sufficient-scopes", ()), "admin"}

    def status(key: str) -> int:
        headers = {"Authorization": key and f"Bearer {key}", "Origin": SHOP_ORIGIN}
        return client.request(method, path, headers=headers).status_code

    if path in OPEN_ROUTES:
        assert status("") == 200
        return
    assert status("") == 401
    refused = {scope for scope, key in key_of_scope.items() if scope != "admin" and status(key) == 403}
    assert refused == set(Scope) - sufficient


def references(part: Any) -> Iterator[str]:
    """Every $ref in a part of the document."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "$ref")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert set(references(DOCUMENT)) <= known


def test_the_examples_of_the_request_are_answered(client: TestClient) -> None:
    for example in DOCUMENT["components"]["schemas"]["RecommendationRequest"]["examples"]:
        assert client.post("/v1/recommendations", json=example).status_code == 200


@pytest.fixture(scope="module")
def server(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a real server over a small artifact, and a key that opens everything."""
    folder = tmp_path_factory.mktemp("contract")
    shutil.copy(migrated_sqlite, folder / "nextoffer.db")
    ArtifactStore(folder, smoke_test).activate(write_world(folder, coffee_world()))
    options = make_settings(f"sqlite:///{folder / 'nextoffer.db'}", folder)
    app = create_app(options, now=lambda: NOON, logs=Logs("error", io.BytesIO()))
    listener = socket.create_server(("127.0.0.1", 0))
    made = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=made.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: made.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", make_key(options.database_url, "admin")
    made.should_exit = True
    thread.join()
    listener.close()


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: Any, value: Any) -> bytes:
    """Write generated rows one per line, and generated text as it is."""
    if isinstance(value, bytes):
        return value
    return value.encode(errors="replace") if isinstance(value, str) else json.dumps(value).encode()


GENERATED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("is_covered", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_generated_request_leaves_the_contract(
    server: tuple[str, str], path: str, method: str, is_covered: bool
) -> None:
    url, key = server

    # The rules of segments and policies nest: generating each case of their schema takes minutes.
    takes_rule = path.startswith(WITH_RULES) and method in ("post", "put", "patch")

    @settings(GENERATED, max_examples=30 if is_covered else 4)
    def check(case: Any) -> None:
        case.call_and_validate(base_url=url, headers={"X-API-Key": key}, excluded_checks=checks_beside_the_point(case))

    requests_of(path, method, check, is_covered=is_covered and not takes_rule)()


def requests_of(path: str, method: str, check: Callable[[Any], None], *, is_covered: bool) -> Callable[[], None]:
    """Make the test of one operation: its examples, generated requests, and, if it is covered, each case of its schema.

    Those cases are 48,000. ``parametrize`` of the library would list them all when tests are collected, for half a
    minute, whether they run or not, and its ``from_fixture`` does not know pytest 9.2: hence the function behind both.
    """
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT)))
    schema.config.phases.coverage.enabled = is_covered
    made: Callable[[], None] = build_operation_test(
        config=schema.config,
        operation=schema[path][method.upper()],
        test_func=check,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    return made


def checks_beside_the_point(case: Any) -> list[Any]:
    """Checks that would misjudge what the contract means."""
    # This one adds a wrong key beside the right one; tests of their own look at keys.
    excluded = [ignored_auth]
    if {"attribute", "attributes", "ordered_after", "ordered_before"} & (case.query or {}).keys():
        # The contract can't say NAME:VALUE of a list, nor which years there are.
        excluded += [positive_data_acceptance]
    if "cursor" in (case.query or {}):
        # The contract can't say which texts are cursors, and of a repeated one the last counts.
        excluded += [positive_data_acceptance, negative_data_rejection]
    if case.path.startswith(WITH_RULES) and case.operation.method in ("post", "put", "patch"):
        # The contract can't say which fields there are, of which kind, and which operator takes one value or many.
        excluded += [positive_data_acceptance]
    if case.path.startswith("/v1/goals") and case.operation.method in ("post", "patch"):
        # The contract can't say which of several fields must be given, nor which days and time zones there are.
        excluded += [positive_data_acceptance]
    if isinstance(case.body, dict) and "attributes" in case.body:
        # The contract can't say which values an attribute may have.
        excluded += [positive_data_acceptance]
    if case.headers:
        # Headers that are not in the contract are let through, and no contract can say which changes will come.
        excluded += [positive_data_acceptance, negative_data_rejection]
    if "X-Min-Sequence" in (case.headers or {}):
        # To name a change that never comes is answered with 503, as the contract says.
        excluded += [not_a_server_error]
    if case.operation.method == "post" and case.path != "/v1/recommendations":
        # Bulk routes answer 200 and judge each row in the answer.
        excluded += [negative_data_rejection]
    return excluded
