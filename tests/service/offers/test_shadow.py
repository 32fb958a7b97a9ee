"""A candidate artifact answers a share of the traffic unseen, and telemetry compares."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.cli import app as command
from service.offers.shadow import Shadow, overlap
from service.offers.smoke import smoke_test
from service.readmodel.ownership import Ownership
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, write_world
from tests.service.conftest import make_key, make_settings, part_of, running, wait_until
from tests.service.sync.conftest import order, post

URL = "/v1/recommendations"


@pytest.fixture
def candidate(artifacts_dir: Path, world: World) -> str:
    """An artifact of which nothing is active, and that would offer scales first."""
    neighbours = {**world.neighbours, "beans": {"scale": 0.99, "milk": 0.5}, "grinder": {}}
    other = replace(world, neighbours=neighbours)
    return write_world(artifacts_dir, other, as_of="2024-03-01T00:00:00Z", sequence=0)


@pytest.fixture
def client(sqlite_url: str, artifacts_dir: Path, world: World, candidate: str) -> Iterator[TestClient]:
    """An application whose every answer is compared."""
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, sequence=0))
    settings = make_settings(sqlite_url, artifacts_dir)
    settings = settings.model_copy(update={"shadow_version": candidate, "shadow_share": 1.0})
    with running(settings, make_key(sqlite_url, "admin")) as made:
        yield made


def value(client: TestClient, name: str, **labels: str) -> float:
    telemetry = part_of(client, Telemetry)
    sample: float | None = telemetry.registry.get_sample_value(f"nextoffer_shadow_{name}", labels)
    return sample or 0.0


def test_differences_are_counted_and_never_shown(client: TestClient, version: str, candidate: str) -> None:
    answers = [client.get(f"{URL}/{account}?limit=2").json() for account in ("ann", "bob", "nobody")]

    wait_until(lambda: value(client, "overlap_ratio_count") == 3)
    assert candidate not in {answer["artifact_version"] for answer in answers}
    assert [offer["product_id"] for offer in answers[0]["offers"]] == ["filter", "grinder-pro"]
    assert value(client, "answers_total", result="different") == 1
    assert value(client, "answers_total", result="same") == 2
    assert value(client, "seconds_count") == 3


def test_the_shadow_follows_changes_too(client: TestClient) -> None:
    post(client, order("o-1", "ann", "beans", "scale"))
    shadow = part_of(client, Shadow)

    assert len(shadow.live.state.part(Ownership).by_account["ann"].owned) == 2


def test_a_candidate_that_fails_is_counted_and_harms_nobody(client: TestClient) -> None:
    shadow = part_of(client, Shadow)
    shadow.live = replace(shadow.live, state=None)  # type: ignore[arg-type]

    statuses = {client.get(f"{URL}/ann").status_code for _ in range(5)}

    wait_until(lambda: value(client, "answers_total", result="failed") == 5)
    assert statuses == {200}


def test_without_a_share_nothing_is_compared(
    sqlite_url: str, artifacts_dir: Path, version: str, candidate: str
) -> None:
    settings = make_settings(sqlite_url, artifacts_dir)
    settings = settings.model_copy(update={"shadow_version": candidate, "shadow_share": 0.0})
    with running(settings, make_key(sqlite_url, "admin")) as client:
        client.get(f"{URL}/ann")
        assert not part_of(client, Shadow)._queue


def test_a_bad_candidate_does_not_keep_the_service_from_starting(
    sqlite_url: str, artifacts_dir: Path, version: str, candidate: str
) -> None:
    (artifacts_dir / candidate / "popular_products.npy").unlink()
    settings = make_settings(sqlite_url, artifacts_dir).model_copy(update={"shadow_version": candidate})

    with running(settings, make_key(sqlite_url, "admin")) as client:
        assert client.get(f"{URL}/ann").json()["artifact_version"] == version
        assert "nextoffer_refused_artifacts_total 1.0" in client.get("/metrics").text


def test_the_command_refuses_to_start_with_a_bad_candidate(settings: Settings, version: str) -> None:
    environment = {
        "NEXTOFFER_DATABASE_URL": settings.database_url,
        "NEXTOFFER_ARTIFACTS_DIR": str(settings.artifacts_dir),
    }

    started = CliRunner().invoke(command, ["serve", "--shadow", "20240101T000000Z-none"], env=environment)

    assert started.exit_code != 0
    assert "20240101T000000Z-none" in str(started.exception)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([], [], 1.0), (["a"], [], 0.0), (["a", "b"], ["b", "a"], 1.0), (["a", "b", "c"], ["a"], 1 / 3)],
)
def test_overlap_is_the_share_of_the_longer_list(first: list[str], second: list[str], expected: float) -> None:
    assert overlap(first, second) == overlap(second, first) == expected
