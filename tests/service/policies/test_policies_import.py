"""Policies from a file: the valid ones go in, each invalid one is named, and twice is as good as once."""

import json
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.base.settings import Settings
from service.imports.command import app
from service.policies.importing import PolicyFiles
from service.rows.definitions import DefinitionImport, import_definitions
from service.rows.errors import UnreadableFile
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import NOON, part_of, wait_until, write_lines
from tests.service.policies.test_policies_api import ABROAD, URL, create, describe
from tests.service.sync.conftest import offered

SMALL: Final = {
    "name": "Small baskets",
    "type": "suitability",
    "offer_only_if": {"request": "basket_size", "op": "lt", "value": 100},
}


@pytest.fixture(autouse=True)
def _described(client: TestClient) -> None:
    """Two accounts with a country."""
    describe(client, a0="US", a5="DE")


def imported(client: TestClient, engine: Engine, path: Path) -> DefinitionImport:
    current = part_of(client, ArtifactHolder).current
    assert current is not None
    return import_definitions(engine, path, PolicyFiles(current.state, 90), NOON)


def test_the_valid_policies_of_a_file_go_in_and_are_felt(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "policies.ndjson",
        ABROAD,
        "",
        "{not JSON",
        {**ABROAD, "policy_id": "other"},
        {**SMALL, "scope": {"lines": ["cofee"]}},
        {**SMALL, "name": None},
        [SMALL],
        SMALL,
    )

    result = imported(client, engine, file)

    assert (result.created, result.updated, result.unchanged) == (["no-kettles-abroad", "small-baskets"], [], [])
    assert {place: (name, reason) for place, name, reason in result.refused}.keys() == {
        "line 3", "line 4", "line 5", "line 6", "line 7",
    }  # fmt: skip
    reasons = {place: reason for place, _, reason in result.refused}
    assert "is not JSON" in reasons["line 3"]
    assert "the name 'No kettles abroad'" in reasons["line 4"]
    assert "coffee" in reasons["line 5"]
    assert reasons["line 6"].startswith("name: ")
    assert reasons["line 7"] == "must be an object"
    wait_until(lambda: "kettle" not in offered(client, "a5"), seconds=2)
    assert client.get(f"{URL}/small-baskets").json()["created_by"] == "import"


def test_importing_a_file_twice_changes_nothing(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "policies.json"
    file.write_text(json.dumps([ABROAD, SMALL, {"policy_id": "built-in.returned", "is_enabled": False}]))
    first = imported(client, engine, file)
    before = client.get(URL, params={"limit": 500}).json()

    second = imported(client, engine, file)

    assert len(first.created) == 2
    assert first.updated == ["built-in.returned"]
    assert (second.created, second.updated, len(second.unchanged)) == ([], [], 3)
    assert client.get(URL, params={"limit": 500}).json() == before
    assert len(client.get(f"{URL}/no-kettles-abroad/history").json()["items"]) == 1


def test_what_the_list_answers_can_be_imported_again(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    create(client, valid_until="2024-12-31T00:00:00Z", description="Voltage.")
    create(
        client, policy_id="other", name="Not", withhold_if={"not": {"field": "is_strategic", "op": "eq", "value": True}}
    )
    client.patch(f"{URL}/built-in.substitute", json={"is_enabled": False})
    listed = client.get(URL, params={"limit": 500})
    (tmp_path / "exported.json").write_bytes(listed.content)

    result = imported(client, engine, tmp_path / "exported.json")

    assert (result.created, result.updated, result.refused) == ([], [], [])
    assert len(result.unchanged) == len(listed.json()["items"])
    client.delete(f"{URL}/other")
    assert imported(client, engine, tmp_path / "exported.json").created == ["other"]
    other = client.get(f"{URL}/other").json()
    was = next(item for item in listed.json()["items"] if item["policy_id"] == "other")
    assert {name: other[name] for name in ("withhold_if", "scope", "type")} == {
        name: was[name] for name in ("withhold_if", "scope", "type")
    }


@pytest.mark.parametrize("content", ['[{"name": 1}', '"text"', "7"])
def test_a_file_that_holds_no_policies_is_refused(
    client: TestClient, engine: Engine, tmp_path: Path, content: str
) -> None:
    with pytest.raises(UnreadableFile, match="JSON"):
        imported(client, engine, write_lines(tmp_path / "policies.json", content))


def test_the_command_says_what_was_refused_and_ends_with_code_4(
    client: TestClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("NEXTOFFER_ARTIFACTS_DIR", str(settings.artifacts_dir))
    bad = {**ABROAD, "scope": {"products": ["x"]}}

    good = CliRunner().invoke(app, ["policies", str(write_lines(tmp_path / "good.json", ABROAD))])
    refused = CliRunner().invoke(app, ["policies", str(write_lines(tmp_path / "bad.json", bad, SMALL))])

    assert (good.exit_code, refused.exit_code) == (0, 4), good.output + refused.output
    assert "1 created, 0 updated, 0 unchanged, 0 refused" in good.output
    assert "line 1 (no-kettles-abroad): The scope names the product 'x'" in refused.output
    assert client.get(f"{URL}/no-kettles-abroad").json()["scope"] == {"products": ["kettle"]}
    assert client.get(f"{URL}/small-baskets").status_code == 200
