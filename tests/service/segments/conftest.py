"""An application over an artifact whose accounts have a history."""

from pathlib import Path

import pytest

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.sold import write_sold


@pytest.fixture
def version(artifacts_dir: Path) -> str:
    """The artifact, written and activated."""
    written = write_sold(artifacts_dir)
    ArtifactStore(artifacts_dir, smoke_test).activate(written)
    return written
