"""Activation, refusal, hot swap and roll back, with real artifacts on disk."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from models.artifact import list_artifacts
from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.registry import command
from service.sync.artifact_store import ACTIVE_NAME, ArtifactStore
from service.sync.errors import (
    ArtifactCorrupt,
    ArtifactNotFound,
    ArtifactRejected,
    NothingToRollBack,
    RegistryUnreadable,
)
from tests.artifact_files import EVERY_FILE, spoiled
from tests.artifacts import World, coffee_world, content_of, write_world
from tests.service.conftest import InstallWorld, make_key, running, wait_until

NEWER = "2024-03-15T00:00:00Z"
URL = "/v1/recommendations/ann"


@pytest.fixture
def store(artifacts_dir: Path) -> ArtifactStore:
    """The registry of the test."""
    return ArtifactStore(artifacts_dir, smoke_test)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


SPOILERS: list[Callable[[Path], None]] = [truncate, flip_a_byte, Path.unlink]


def served_version(client: TestClient) -> str | None:
    """The artifact behind the answers."""
    version: str | None = client.get(URL).json()["artifact_version"]
    return version


def force_active(store: ArtifactStore, version: str) -> None:
    """Name a version active without the check that ``activate`` makes, as a careless copy would."""
    entries = [{"version": v, "activated_at": "2024-03-01T00:00:00Z", "by": "activate"} for v in store.standing()]
    entries.append({"version": version, "activated_at": "2024-03-02T00:00:00Z", "by": "activate"})
    aside = store.root / ".aside"
    aside.write_text(json.dumps({"version": version, "history": entries}))
    aside.replace(store.active_path)


def test_activation_is_recorded(store: ArtifactStore, version: str) -> None:
    document = json.loads(store.active_path.read_text())

    assert document["version"] == version
    assert [(entry["version"], entry["by"]) for entry in document["history"]] == [(version, "activate")]
    assert datetime.fromisoformat(document["history"][0]["activated_at"]).tzinfo == UTC


def test_an_unknown_version_is_not_activated(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactNotFound):
        store.activate("20240101T000000Z-0123456789abcdef")


@pytest.mark.parametrize("version", ["..", ".", "/etc", "a/../../b", ""])
def test_a_version_is_no_path(store: ArtifactStore, version: str) -> None:
    with pytest.raises(ArtifactNotFound):
        store.show(version)


def test_a_rejected_artifact_is_activated_only_by_force(store: ArtifactStore, world: World) -> None:
    rejected = write_world(store.root, world, is_approved=False)

    with pytest.raises(ArtifactRejected, match="Worse than popularity"):
        store.activate(rejected)
    assert store.active_version() is None

    store.activate(rejected, force=True)
    assert store.active_version() == rejected


@pytest.fixture(scope="module")
def shared_store(install_world: InstallWorld, tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """A registry with an artifact that is active and a newer one, for tests that leave it as it is."""
    root = tmp_path_factory.mktemp("registry")
    install_world(root, coffee_world())
    write_world(root, coffee_world(), as_of=NEWER)
    return ArtifactStore(root, smoke_test)


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_corrupt_artifact_is_not_activated_even_by_force(
    shared_store: ArtifactStore, name: str, spoil: Callable[[Path], None]
) -> None:
    version = shared_store.active_version()
    newer = next(path.name for path in list_artifacts(shared_store.root) if path.name != version)

    with (
        spoiled(shared_store.root / newer / name, spoil),
        pytest.raises(ArtifactCorrupt, match=name.replace(".", r"\.")),
    ):
        shared_store.activate(newer, force=True)

    assert shared_store.active_version() == version


def test_rollback_goes_back_step_by_step_and_never_in_circles(store: ArtifactStore, world: World) -> None:
    first, second, third = (write_world(store.root, world, seed=seed) for seed in (1, 2, 3))
    for version in (first, second, third):
        store.activate(version)

    assert store.rollback() == second
    assert store.rollback() == first
    with pytest.raises(NothingToRollBack):
        store.rollback()

    assert store.active_version() == first
    assert [entry.by for entry in store.history()] == ["activate"] * 3 + ["rollback"] * 2


def test_rollback_passes_over_what_is_no_longer_good(store: ArtifactStore, world: World) -> None:
    first, second, third = (write_world(store.root, world, seed=seed) for seed in (1, 2, 3))
    for version in (first, second, third):
        store.activate(version)
    truncate(store.root / second / "popular_scores.npy")

    assert store.rollback() == first


def test_after_a_rollback_an_activation_counts_from_there(store: ArtifactStore, world: World) -> None:
    first, second, third = (write_world(store.root, world, seed=seed) for seed in (1, 2, 3))
    store.activate(first)
    store.activate(second)
    store.rollback()
    store.activate(third)

    assert store.standing() == [first, third]
    assert store.rollback() == first


def test_a_killed_activation_leaves_the_old_one(
    store: ArtifactStore, version: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = write_world(store.root, world, as_of=NEWER)

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.activate(newer)

    assert store.active_version() == version
    assert {path.name for path in store.root.iterdir()} == {version, newer, ACTIVE_NAME, ".lock"}


def test_an_unreadable_record_says_so_and_is_mended_by_an_activation(store: ArtifactStore, version: str) -> None:
    store.active_path.write_text("{")

    with pytest.raises(RegistryUnreadable):
        store.active_version()
    store.activate(version)

    assert store.active_version() == version


def test_a_new_artifact_is_served_without_a_restart(
    client: TestClient, store: ArtifactStore, version: str, world: World
) -> None:
    newer = write_world(store.root, world, as_of=NEWER)
    before = served_version(client)

    store.activate(newer)
    wait_until(lambda: served_version(client) == newer)
    store.rollback()
    wait_until(lambda: served_version(client) == version)

    assert before == version
    assert f'nextoffer_artifact_info{{version="{version}"}} 1.0' in client.get("/metrics").text
    assert f'version="{newer}"}} 0.0' in client.get("/metrics").text


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("name", ["manifest.json", "report.json", "neighbour_scores.npy", "account_ids.hashes.npy"])
def test_a_corrupt_artifact_is_refused_while_the_old_one_serves(
    client: TestClient, store: ArtifactStore, version: str, world: World, name: str, spoil: Callable[[Path], None]
) -> None:
    newer = write_world(store.root, world, as_of=NEWER)
    spoil(store.root / newer / name)

    force_active(store, newer)
    wait_until(lambda: client.get("/readyz").json()["status"] == "degraded")

    checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
    assert name in checks["artifact"]["detail"]
    assert served_version(client) == version
    assert "nextoffer_refused_artifacts_total 1.0" in client.get("/metrics").text


def test_a_refused_artifact_is_taken_once_it_is_repaired(
    client: TestClient, store: ArtifactStore, version: str, world: World
) -> None:
    newer = write_world(store.root, world, as_of=NEWER)
    path = store.root / newer / "popular_scores.npy"
    good = path.read_bytes()
    truncate(path)
    force_active(store, newer)
    wait_until(lambda: client.get("/readyz").json()["status"] == "degraded")

    path.write_bytes(good)

    wait_until(lambda: served_version(client) == newer)
    assert client.get("/readyz").json()["status"] == "ok"


def test_at_start_a_corrupt_artifact_gives_way_to_the_one_before(
    settings: Settings, store: ArtifactStore, version: str, world: World
) -> None:
    newer = write_world(store.root, world, as_of=NEWER)
    store.activate(newer)
    flip_a_byte(store.root / newer / "candidate_products.npy")

    with running(settings, make_key(settings.database_url, "admin")) as client:
        ready = client.get("/readyz")
        served = served_version(client)

    assert served == version
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert f"Serving {version} instead" in ready.text


def test_at_start_an_unreadable_record_gives_way_to_the_newest_approved_artifact(
    settings: Settings, store: ArtifactStore, version: str, world: World
) -> None:
    write_world(store.root, world, as_of=NEWER, is_approved=False)
    store.active_path.write_bytes(b"\xff")

    with running(settings, make_key(settings.database_url, "admin")) as client:
        assert served_version(client) == version


def test_an_artifact_that_breaks_at_the_first_answer_is_refused(
    settings: Settings, store: ArtifactStore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = content_of(world)
    content.candidate_products[:] = 10_000
    monkeypatch.setattr("tests.artifacts.content_of", lambda _: content)
    force_active(store, write_world(store.root, world))

    with running(settings, make_key(settings.database_url, "admin")) as client:
        ready = client.get("/readyz")

    assert ready.status_code == 503
    assert "names products that it does not hold" in ready.json()["checks"][1]["detail"]


def test_an_artifact_that_breaks_at_the_first_answer_is_neither_activated_nor_rolled_back_to(
    client: TestClient, store: ArtifactStore, version: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = content_of(world)
    content.candidate_products[:] = 10_000
    with monkeypatch.context() as patched:
        patched.setattr("tests.artifacts.content_of", lambda _: content)
        broken = write_world(store.root, world, as_of=NEWER)
    newest = write_world(store.root, world, as_of="2024-03-16T00:00:00Z")

    refused = client.post(f"/v1/artifacts/{broken}/activate?force=true")
    force_active(store, broken)
    store.activate(newest)
    rolled_back = client.post("/v1/artifacts/rollback")

    assert (refused.status_code, refused.json()["code"]) == (409, "artifact-corrupt")
    assert "names products that it does not hold" in refused.json()["detail"]
    assert (rolled_back.status_code, rolled_back.json()["version"]) == (200, version)
    assert served_version(client) == version


def test_activation_over_http_answers_once_it_is_served_here(
    client: TestClient, store: ArtifactStore, version: str, world: World
) -> None:
    newer = write_world(store.root, world, as_of=NEWER, is_approved=False)

    rejected = client.post(f"/v1/artifacts/{newer}/activate")
    unknown = client.post("/v1/artifacts/rollback/activate")
    nothing = client.post("/v1/artifacts/rollback")
    forced = client.post(f"/v1/artifacts/{newer}/activate?force=true")
    listed = client.get("/v1/artifacts").json()["items"]

    assert (rejected.status_code, rejected.json()["code"]) == (409, "artifact-rejected")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "artifact-not-found")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing-to-roll-back")
    assert forced.json() == next(item for item in listed if item["version"] == newer)
    assert (forced.json()["is_active"], forced.json()["is_live"]) == (True, True)


def test_rolling_back_without_a_readable_record_says_so(client: TestClient, store: ArtifactStore, version: str) -> None:
    store.active_path.write_text("{")

    answer = client.post("/v1/artifacts/rollback")

    assert (answer.status_code, answer.json()["code"]) == (503, "registry-unreadable")
    assert served_version(client) == version


@pytest.mark.parametrize("scopes", ["read", "recommend", "write"])
@pytest.mark.parametrize("path", ["/v1/artifacts/rollback", "/v1/artifacts/x/activate"])
def test_only_an_admin_changes_what_is_served(settings: Settings, version: str, scopes: str, path: str) -> None:
    with running(settings, make_key(settings.database_url, scopes)) as client:
        answer = client.post(path)

    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")


def test_a_live_artifact_serves_on_when_its_folder_is_deleted(
    client: TestClient, store: ArtifactStore, version: str
) -> None:
    shutil.rmtree(store.root / version)

    assert served_version(client) == version


def test_artifacts_are_listed_with_verdict_and_metrics(
    client: TestClient, store: ArtifactStore, version: str, world: World
) -> None:
    rejected = write_world(store.root, world, as_of=NEWER, is_approved=False)
    (store.root / "rubbish").mkdir()

    body = client.get("/v1/artifacts").json()

    states = [(item["version"], item["state"], item["is_active"], item["is_live"]) for item in body["items"]]
    assert states == [
        ("rubbish", "invalid", False, False),
        (rejected, "rejected", False, False),
        (version, "approved", True, True),
    ]
    assert body["items"][2]["metrics"] == {"recall_at_10": 0.25}
    assert "missing" in body["items"][0]["reason"]


def test_artifacts_are_paged(client: TestClient, store: ArtifactStore, version: str, world: World) -> None:
    newer = write_world(store.root, world, as_of=NEWER)

    first = client.get("/v1/artifacts?limit=1").json()
    second = client.get("/v1/artifacts", params={"limit": 1, "cursor": first["next_cursor"]}).json()

    assert [item["version"] for item in first["items"] + second["items"]] == [newer, version]
    assert second["next_cursor"] is None


def test_an_artifact_shows_its_report(client: TestClient, version: str) -> None:
    body = client.get(f"/v1/artifacts/{version}").json()

    assert body["report"]["metrics"] == {"recall_at_10": 0.25}
    assert body["parameters"] == {"seed": 1}


def test_an_unknown_artifact_is_not_found(client: TestClient) -> None:
    answer = client.get("/v1/artifacts/%2e%2e")

    assert (answer.status_code, answer.json()["code"]) == (404, "artifact-not-found")


def test_a_corrupt_artifact_can_not_be_shown(client: TestClient, store: ArtifactStore, version: str) -> None:
    (store.root / version / "report.json").unlink()

    answer = client.get(f"/v1/artifacts/{version}")

    assert (answer.status_code, answer.json()["code"]) == (409, "artifact-corrupt")


@pytest.mark.parametrize("url", ["/v1/artifacts", "/v1/artifacts/{version}"])
def test_what_did_not_change_is_not_sent_again(client: TestClient, version: str, url: str) -> None:
    url = url.format(version=version)
    first = client.get(url)
    etag = first.headers["etag"]

    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def run_command(store: ArtifactStore, *arguments: str) -> str:
    """Run `nextoffer artifacts ...` and return its output."""
    environment = {"NEXTOFFER_ARTIFACTS_DIR": str(store.root), "COLUMNS": "200"}
    result = CliRunner().invoke(command.app, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_lists_shows_activates_and_rolls_back(store: ArtifactStore, version: str, world: World) -> None:
    newer = write_world(store.root, world, as_of=NEWER, is_approved=False)

    listed = run_command(store, "list")
    shown = run_command(store, "show", newer, "--json")
    run_command(store, "activate", newer, "--force")
    activated = store.active_version()
    run_command(store, "rollback")

    assert listed.index(newer) < listed.index(version)
    assert "rejected: Worse than popularity." in listed
    assert json.loads(shown)["version"] == newer
    assert (activated, store.active_version()) == (newer, version)
