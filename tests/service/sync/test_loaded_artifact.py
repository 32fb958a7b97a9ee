"""Indexes that are derived from an artifact are made once for each type, on first use."""

import threading
import time

from models.artifact import Content
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from service.sync.loaded_artifact import LoadedArtifact
from tests.artifacts import coffee_world, content_of


class CountedIndex:
    """An index that takes a while to make."""

    made = 0

    def __init__(self, segments: SegmentCatalog) -> None:
        time.sleep(0.05)
        type(self).made += 1
        self.segments = segments


class OtherIndex(CountedIndex):
    """Another one."""


def load(content: Content) -> LoadedArtifact:
    """Load an artifact without anything that happened since."""
    state = LiveState(content, 0)
    return LoadedArtifact("v1", state, SegmentCatalog(content, "v1", state.part(SegmentMembership)))


def test_an_index_is_made_once_however_many_threads_ask_for_it() -> None:
    CountedIndex.made = 0
    loaded = load(content_of(coffee_world()))
    derived: list[CountedIndex] = []
    threads = [threading.Thread(target=lambda: derived.append(loaded.derived(CountedIndex))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert CountedIndex.made == 1
    assert len({id(index) for index in derived}) == 1
    assert derived[0].segments is loaded.segments


def test_each_type_and_each_artifact_has_an_index_of_its_own() -> None:
    first, second = load(content_of(coffee_world())), load(content_of(coffee_world()))

    assert first.derived(CountedIndex) is not first.derived(OtherIndex)
    assert first.derived(CountedIndex) is not second.derived(CountedIndex)
