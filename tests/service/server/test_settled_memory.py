"""What is loaded is frozen once for each artifact, and what nobody refers to any more is freed all the same."""

import gc
from collections.abc import Iterator
from weakref import ref

import pytest
from starlette.testclient import TestClient

from service.server.settled_memory import SettledMemory
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import part_of


class Cyclic:
    """Something that only the garbage collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_was_frozen_with_an_artifact_is_freed_with_the_next(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = part_of(client, ArtifactHolder)
    settled, before = SettledMemory(holder), gc.get_freeze_count()
    old = Cyclic()
    seen = ref(old)

    settled.settle()
    frozen = gc.get_freeze_count()
    del old
    gc.collect()
    settled.settle()

    assert frozen > before
    assert seen() is not None
    monkeypatch.setattr(settled, "_settled", object())
    settled.settle()
    assert seen() is None


def test_only_a_process_of_its_own_is_settled(client: TestClient) -> None:
    with pytest.raises(KeyError):
        part_of(client, SettledMemory)
