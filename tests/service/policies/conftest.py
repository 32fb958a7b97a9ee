"""An application over an artifact whose accounts have a history."""

import shutil
from pathlib import Path

import pytest

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.sold import write_sold


@pytest.fixture(scope="session")
def sold_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the artifact, activated: to be copied."""
    folder = tmp_path_factory.mktemp("sold")
    ArtifactStore(folder, smoke_test).activate(write_sold(folder))
    return folder


@pytest.fixture
def version(artifacts_dir: Path, sold_registry: Path) -> str:
    """The artifact, written and activated."""
    shutil.copytree(sold_registry, artifacts_dir, dirs_exist_ok=True)
    return str(ArtifactStore(artifacts_dir, smoke_test).active_version())
