"""An application over an artifact whose accounts have a history."""

import pytest


@pytest.fixture
def version(sold_version: str) -> str:
    """The artifact, written and activated."""
    return sold_version
