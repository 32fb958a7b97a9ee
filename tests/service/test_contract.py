"""openapi.yaml is the contract: current, complete, and kept under hostile requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from starlette.testclient import TestClient

from service.app import create_app
from service.openapi import document, main, render
from service.settings import Settings
from tests.service.conftest import make_key, make_settings, running

PATH = Path(__file__).parents[2] / "openapi.yaml"
OPEN_ROUTES = {"/healthz", "/readyz"}
DOCUMENT = document(create_app(Settings()))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_the_file_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == render(create_app(Settings())), "run: python -m service.openapi"


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
    assert ("security" in operation) and (bool(operation["security"]) == (path not in OPEN_ROUTES))


def test_operation_ids_are_unique() -> None:
    identifiers = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]

    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_route_but_health_and_readiness_needs_a_key_with_its_scope(
    client: TestClient, settings: Settings, path: str, method: str
) -> None:
    scopes = {"recommend", "read", "write"} - {DOCUMENT["paths"][path][method].get("x-required-scope")}
    wrong = make_key(settings.database_url, ",".join(sorted(scopes)))

    without = client.request(method, path, headers={"Authorization": ""})
    with_wrong = client.request(method, path, headers={"Authorization": f"Bearer {wrong}"})

    if path in OPEN_ROUTES:
        assert without.status_code == 200
    else:
        assert (without.status_code, with_wrong.status_code) == (401, 403)


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
def module_client(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One running application for all generated requests."""
    import shutil

    from service.registry.store import ArtifactStore
    from tests.artifacts import coffee_world, write_world

    folder = tmp_path_factory.mktemp("contract")
    shutil.copy(migrated_sqlite, folder / "nextoffer.db")
    ArtifactStore(folder).activate(write_world(folder, coffee_world()))
    options = make_settings(f"sqlite:///{folder / 'nextoffer.db'}", folder)
    with running(options, make_key(options.database_url, "admin")) as client:
        yield client


def make_schema() -> Any:
    """The contract as Schemathesis reads it, with bounded bodies: hostile sizes have tests of their own."""
    return schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT)))


SCHEMA = make_schema()


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_generated_request_leaves_the_contract(case: Any, module_client: TestClient) -> None:
    answer = case.call(base_url="http://testserver", session=module_client)
    case.validate_response(answer)
