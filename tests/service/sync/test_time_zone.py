"""An artifact whose days are of another time zone than the setting's is served, and the log says so."""

import io
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, content_of, write_world
from tests.service.conftest import make_key, running

EVENT = "artifact counts days in another time zone than the setting"


def install(artifacts_dir: Path, world: World, timezone: str) -> None:
    content = content_of(world)
    report = orjson.loads(content.report) | {"timezone": timezone}
    version = write_world(artifacts_dir, world, content=replace(content, report=orjson.dumps(report)))
    ArtifactStore(artifacts_dir, smoke_test).activate(version)


@pytest.mark.parametrize(
    ("setting", "artifact", "is_said"),
    [("Europe/Berlin", "America/New_York", True), ("Europe/Berlin", "Europe/Berlin", False), ("UTC", "UTC", False)],
)
def test_another_time_zone_is_logged_at_load_and_served(
    setting: str, artifact: str, is_said: bool, settings: Settings, artifacts_dir: Path, world: World
) -> None:
    install(artifacts_dir, world, artifact)
    zoned, log = settings.model_copy(update={"timezone": setting}), io.BytesIO()

    with running(zoned, make_key(settings.database_url, "admin"), log_stream=log) as client:
        segments = client.get("/v1/segments").json()

    lines = [orjson.loads(text) for text in log.getvalue().splitlines()]
    logged = [(line["artifact"], line["setting"]) for line in lines if line["event"] == EVENT]
    assert logged == ([(artifact, setting)] if is_said else [])
    assert segments["timezone"] == artifact


def test_an_artifact_from_before_time_zones_is_of_utc(settings: Settings, artifacts_dir: Path, world: World) -> None:
    version = write_world(artifacts_dir, world)
    ArtifactStore(artifacts_dir, smoke_test).activate(version)

    with running(settings, make_key(settings.database_url, "admin")) as client:
        artifact = client.get(f"/v1/artifacts/{version}").json()
        segments = client.get("/v1/segments").json()

    assert "timezone" not in orjson.loads((artifacts_dir / version / "manifest.json").read_bytes())
    assert artifact["timezone"] == segments["timezone"] == "UTC"
