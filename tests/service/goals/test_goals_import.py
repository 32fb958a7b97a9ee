"""Goals from a file: the valid ones go in, each invalid one is named, and twice is as good as once."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.base.settings import Settings
from service.goals.importing import GoalFiles
from service.imports.command import app
from service.rows.definitions import DefinitionImport, import_definitions
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import NOON, part_of, wait_until, write_lines
from tests.service.goals.conftest import COFFEE, URL, line, progress, sell, set_goal


def imported(client: TestClient, engine: Engine, path: Path) -> DefinitionImport:
    current = part_of(client, ArtifactHolder).current
    assert current is not None
    return import_definitions(engine, path, GoalFiles(current.state, "UTC"), NOON)


def test_the_valid_goals_of_a_file_go_in_and_are_measured(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    sell(client, "o-1", "2024-03-01", line("beans", 3))
    file = write_lines(
        tmp_path / "goals.ndjson",
        COFFEE,
        "",
        "{not JSON",
        {**COFFEE, "goal_id": "tea", "scope": {"lines": ["tea"]}},
        {**COFFEE, "goal_id": "gone", "segment_id": "custom.gone"},
        {**COFFEE, "goal_id": "null", "target": None},
        [COFFEE],
        {**COFFEE, "target": 7},
        {**COFFEE, "goal_id": "dollars", "measure": "revenue", "currency": "USD"},
        {**COFFEE, "goal_id": "euros", "measure": "revenue", "currency": "EUR", "segment_id": "strategic.accounts"},
    )

    result = imported(client, engine, file)

    assert (result.created, result.updated, result.unchanged) == (["coffee", "euros"], [], [])
    reasons = {place: (name, reason) for place, name, reason in result.refused}
    assert {place: name for place, (name, _) in reasons.items()} == {
        "line 3": "", "line 4": "tea", "line 5": "gone", "line 6": "null", "line 7": "", "line 8": "Coffee",
        "line 9": "dollars",
    }  # fmt: skip
    assert "is not JSON" in reasons["line 3"][1]
    assert "no product of the lines 'tea'" in reasons["line 4"][1]
    assert "no segment 'custom.gone'" in reasons["line 5"][1]
    assert reasons["line 6"][1].startswith("target: ")
    assert reasons["line 7"][1] == "must be an object"
    assert reasons["line 8"][1] == "goal_id: line 1 has 'coffee', too. Keep one of them"
    assert reasons["line 9"][1].startswith("currency: the target is in USD, but the goal is in EUR.")
    wait_until(lambda: client.get(f"{URL}/coffee").status_code == 200, seconds=2)
    assert progress(client)["booked"] == 3
    assert client.get(f"{URL}/coffee").json()["created_by"] == "import"
    assert client.get(f"{URL}/euros").json()["currency"] == "EUR"


def test_a_goal_replaces_the_one_of_its_id_and_twice_changes_nothing(
    client: TestClient, engine: Engine, tmp_path: Path
) -> None:
    set_goal(client, timezone="Europe/Berlin", max_lever=3)
    file = tmp_path / "goals.json"
    file.write_text(json.dumps([{**COFFEE, "goal_id": "coffee", "target": 120}]))

    first, second = imported(client, engine, file), imported(client, engine, file)

    assert (first.updated, first.created, second.unchanged, second.updated) == (["coffee"], [], ["coffee"], [])
    wait_until(lambda: client.get(f"{URL}/coffee").json()["target"] == 120, seconds=2)
    shown = client.get(f"{URL}/coffee").json()
    assert (shown["timezone"], shown["max_lever"], shown["version"]) == ("UTC", 2.0, 2)
    history = client.get(f"{URL}/coffee/history").json()["items"]
    assert [entry["changed_by"] for entry in history][:-1] == ["import"]


def test_what_the_list_answers_can_be_imported_again(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    set_goal(client, target=10.123456)
    set_goal(
        client, goal_id="money", measure="revenue", target=5_000, period={"from": "2024-03-01", "until": "2024-04-15"}
    )
    set_goal(client, goal_id="berlin", timezone="Europe/Berlin", segment_id="strategic.accounts", is_enabled=False)
    listed = client.get(URL)
    (tmp_path / "exported.json").write_bytes(listed.content)

    result = imported(client, engine, tmp_path / "exported.json")

    assert (result.created, result.updated, result.refused) == ([], [], [])
    assert sorted(result.unchanged) == ["berlin", "coffee", "money"]
    client.delete(f"{URL}/money")
    assert imported(client, engine, tmp_path / "exported.json").created == ["money"]
    wait_until(lambda: client.get(f"{URL}/money").status_code == 200, seconds=2)
    was = next(goal for goal in listed.json()["items"] if goal["goal_id"] == "money")
    written = ("scope", "measure", "target", "currency", "period", "timezone", "max_lever", "order_lag_days")
    assert {name: client.get(f"{URL}/money").json()[name] for name in written} == {name: was[name] for name in written}


def test_a_stored_goal_keeps_what_is_no_longer_there(client: TestClient, engine: Engine, tmp_path: Path) -> None:
    """A line that was sold out of the catalogue since does not refuse the goal that was set on it."""
    set_goal(client)
    rows = [
        {"product_id": product["product_id"], "name": product["name"], "line": "other"}
        for product in client.get("/v1/products", params={"limit": 500}).json()["items"]
    ]
    assert client.post("/v1/products", json=rows).json()["rejected"] == 0
    (tmp_path / "goals.json").write_bytes(client.get(URL).content)

    result = imported(client, engine, tmp_path / "goals.json")

    assert (result.unchanged, result.refused) == (["coffee"], [])


def test_before_the_first_training_goals_of_segments_alone_are_refused(
    client: TestClient, engine: Engine, tmp_path: Path
) -> None:
    file = write_lines(
        tmp_path / "goals.json",
        {**COFFEE, "goal_id": "segment", "segment_id": "strategic.accounts"},
        {**COFFEE, "goal_id": "money", "measure": "revenue", "target": 100, "currency": "EUR"},
    )

    result = import_definitions(engine, file, GoalFiles(None, "UTC"), NOON)

    assert result.created == ["money"]
    assert [(refusal.place, refusal.name) for refusal in result.refused] == [("line 1", "segment")]


def test_the_command_says_what_was_refused_and_ends_with_code_4(
    client: TestClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("NEXTOFFER_ARTIFACTS_DIR", str(settings.artifacts_dir))
    bad = {**COFFEE, "scope": {"products": ["x"]}}

    good = CliRunner().invoke(app, ["goals", str(write_lines(tmp_path / "good.json", COFFEE))])
    refused = CliRunner().invoke(app, ["goals", str(write_lines(tmp_path / "bad.json", bad, {**COFFEE, "target": 7}))])

    assert (good.exit_code, refused.exit_code) == (0, 4), good.output + refused.output
    assert "Goals: 1 created, 0 updated, 0 unchanged, 0 refused." in good.output
    assert "line 1 (Coffee): There are no products 'x'" in refused.output
    wait_until(lambda: client.get(f"{URL}/coffee").json().get("target") == 7, seconds=2)
