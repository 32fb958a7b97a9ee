"""An artifact in memory, with what happened since."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import SegmentCatalog

Index = TypeVar("Index")


@dataclass(frozen=True)
class LoadedArtifact:
    """What answers are made from. version is None for the fallback: popular products and nothing else."""

    version: str | None
    state: LiveState
    segments: SegmentCatalog
    as_of: datetime | None = None
    _derived: dict[Callable[[SegmentCatalog], Any], Any] = field(default_factory=dict, compare=False)
    _lock: Lock = field(default_factory=Lock, compare=False)

    @property
    def is_fallback(self) -> bool:
        """Tell whether no artifact was learned."""
        return self.version is None

    @property
    def catalogue(self) -> CatalogueView:
        """The products and relationships as they are now."""
        return self.state.part(CatalogueView)

    def derived(self, index: Callable[[SegmentCatalog], Index]) -> Index:
        """Return the index of a type, which is made from the segments once, on first use."""
        if index not in self._derived:
            with self._lock:
                if index not in self._derived:
                    self._derived[index] = index(self.segments)
        made: Index = self._derived[index]
        return made
