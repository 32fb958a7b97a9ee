"""The live artifact of this process: loaded at start-up, watched, and swapped in one assignment."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service.base.errors import DomainError
from service.base.telemetry import Telemetry
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.whitespace import WhitespaceIndex
from service.sync.artifact_store import ArtifactStore
from service.sync.errors import ArtifactCorrupt, RegistryUnreadable
from service.sync.follower import ChangeFollower
from service.targets.answers import Targeting
from service.targets.exclusions import Exclusions


@dataclass(frozen=True)
class LoadedArtifact:
    """What answers are made from. version is None for the fallback: popular products and nothing else."""

    content: Content
    version: str | None
    state: LiveState
    book: SegmentCatalog
    as_of: datetime | None = None

    @property
    def is_fallback(self) -> bool:
        return self.version is None

    @cached_property
    def rooms(self) -> WhitespaceIndex:
        """Lines and categories, and who has room for them."""
        return WhitespaceIndex(self.book)

    @cached_property
    def targeting(self) -> Targeting:
        """Whom to ask first."""
        return Targeting(self.book)

    @cached_property
    def pitch(self) -> Exclusions:
        """Whom not to ask."""
        return Exclusions(self.book)


FALLBACK_GAP_SECONDS = 5.0

SmokeTest = Callable[[Content], None]
LoadFallback = Callable[[], Content | None]


class ArtifactHolder:
    """Holds what is live. Only ``poll`` and ``load_at_start`` write it; both block, and run outside the event loop."""

    def __init__(
        self,
        store: ArtifactStore,
        smoke_test: SmokeTest,
        load_fallback: LoadFallback,
        tail: ChangeFollower,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
    ) -> None:
        self.live: LoadedArtifact | None = None
        self.problem: str | None = "No artifact was activated yet: train one, or run `nextoffer artifacts activate`."
        self.has_artifact = False
        self._store = store
        self._smoke_test = smoke_test
        self._load_fallback = load_fallback
        self._tail = tail
        self._telemetry = telemetry
        self._log = log
        self._lock = threading.Lock()
        self._seen: object = None
        self._fallback_due_at = 0.0

    def load_at_start(self) -> None:
        """Load the active artifact; if it is not good, the newest good one of those that were active before."""
        self.poll()
        if not self.has_artifact:
            self._load_earlier()
        if not self.has_artifact:
            self._refresh_fallback()

    def poll(self) -> None:
        """Load the active artifact if it changed. One that is not good is refused, and what is live stays.

        Raises SQLAlchemyError if the database can't tell what happened since the artifact; the next poll tries again.
        """
        with self._lock:
            if self._tail.is_database_up:
                self._poll()

    def _poll(self) -> None:
        seen = self._look()
        if seen != self._seen:
            self._load_active()
            self._seen = seen
        elif not self.has_artifact and time.monotonic() >= self._fallback_due_at:
            self._refresh_fallback()

    def _load_active(self) -> None:
        try:
            version = self._store.active_version()
        except RegistryUnreadable as error:
            self._refuse("unknown", error)
            return
        if version is None:
            return
        if self.live is not None and self.live.version == version:
            self.problem = None
            return
        try:
            self._swap(self.open_live(version))
        except DomainError as error:
            self._refuse(version, error)

    def _load_earlier(self) -> None:
        for version in self._earlier_versions():
            problem = self.problem
            try:
                self._swap(self.open_live(version))
            except DomainError as error:
                self._refuse(version, error)
            else:
                self.problem = f"{problem} Serving {version} instead."
                return

    def _earlier_versions(self) -> list[str]:
        """What may stand in for the active artifact: those active before, the last one first; then approved ones."""
        try:
            earlier = self._store.standing()[-2::-1]
        except RegistryUnreadable:
            earlier = []
        listed = [one for one in self._store.listed() if one.manifest and one.manifest.verdict.is_approved]
        return [*earlier, *(one.version for one in listed if one.version not in earlier)]

    def open_live(self, version: str) -> LoadedArtifact:
        """Verify an artifact, try it out, and read what happened since; raises ArtifactNotFound or ArtifactCorrupt."""
        artifact = self._store.open(version)
        try:
            self._smoke_test(artifact.content)
        except Exception as error:  # Whatever a malformed artifact breaks, it must break here and not in a request.
            raise SmokeTestFailed(version, error) from error
        as_of = datetime.fromisoformat(artifact.manifest.as_of)
        as_of = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
        state = self._tail.open(artifact.content, artifact.manifest.sequence, as_of)
        segments = SegmentCatalog(artifact.content, version, state.membership)
        return LoadedArtifact(artifact.content, version, state, segments, as_of)

    def _swap(self, live: LoadedArtifact) -> None:
        before, self.live = self.live, live
        self.has_artifact = True
        self.problem = None
        if live.version is not None and live.as_of is not None:
            self._telemetry.show_artifact(live.version, live.as_of.timestamp())
        self._log.info("artifact loaded", version=live.version, before=before.version if before else None)

    def _refuse(self, version: str, error: DomainError) -> None:
        self.problem = str(error)
        self._telemetry.refused_artifacts.inc()
        self._log.error("artifact refused", version=version, reason=str(error))

    def _refresh_fallback(self) -> None:
        begun = time.monotonic()
        content = self._load_fallback()
        self.live = self._fallback(content) if content else None
        # Seconds of pause grow with the cost, so that a large history is not counted over and over.
        self._fallback_due_at = time.monotonic() + max(FALLBACK_GAP_SECONDS, 20 * (time.monotonic() - begun))

    def _fallback(self, content: Content) -> LoadedArtifact:
        state = self._tail.open_fallback(content)
        return LoadedArtifact(content, None, state, SegmentCatalog(content, None, state.membership))

    def _look(self) -> object:
        """What changes when another artifact is activated, or when the files of a refused one are repaired."""
        try:
            version = self._store.active_version()
            paths = sorted(self._store.folder_of(version).iterdir()) if version else []
        except (DomainError, OSError):
            paths = []
        return [_signature(path) for path in (self._store.active_path, *paths)]


class SmokeTestFailed(ArtifactCorrupt):
    """The files are as they were written, yet no answer can be made from them."""

    def __init__(self, version: str, error: Exception) -> None:
        DomainError.__init__(self, f"{version} can't answer: {type(error).__name__}: {error}")


def _signature(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return path.name, status.st_mtime_ns, status.st_size, status.st_ino
