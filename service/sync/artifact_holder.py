"""The artifact that this process answers from: loaded at start-up, watched, and swapped in one assignment."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from models.artifact import Content, Manifest
from service.base.errors import DomainError
from service.base.telemetry import Telemetry
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from service.sync.artifact_store import ArtifactStore
from service.sync.errors import RegistryUnreadable
from service.sync.follower import ChangeFollower
from service.sync.loaded_artifact import LoadedArtifact

MIN_FALLBACK_PAUSE_SECONDS = 5.0

LoadFallback = Callable[[], Content | None]


def as_of_time(manifest: Manifest) -> datetime:
    """Return the time up to which an artifact knows the history; UTC where the manifest names no zone."""
    as_of = datetime.fromisoformat(manifest.as_of)
    return as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)


class ArtifactHolder:
    """Holds the current artifact. Only ``poll`` and ``load_at_start`` write it.

    Both block, and run outside the event loop. timezone: the setting's, which the days of an artifact should be of.
    """

    def __init__(
        self,
        store: ArtifactStore,
        load_fallback: LoadFallback,
        follower: ChangeFollower,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
        timezone: str,
    ) -> None:
        self.current: LoadedArtifact | None = None
        self.problem: str | None = "No artifact was activated yet: train one, or run `nextoffer artifacts activate`."
        self.has_artifact = False
        self._store = store
        self._load_fallback = load_fallback
        self._follower = follower
        self._telemetry = telemetry
        self._log = log
        self._timezone = timezone
        self._lock = threading.Lock()
        self._seen_files: object = None
        self._fallback_due_at = 0.0

    def load_at_start(self) -> None:
        """Load the active artifact; if it is not good, the newest good one of those that were active before."""
        self.poll()
        if not self.has_artifact:
            self._load_earlier()
        if not self.has_artifact:
            self._refresh_fallback()

    def poll(self) -> None:
        """Load the active artifact if it changed. One that is not good is refused, and the current one stays.

        Raises SQLAlchemyError if the database can't tell what happened since the artifact; the next poll tries again.
        """
        with self._lock:
            if self._follower.is_database_up:
                self._poll()

    def load(self, version: str) -> LoadedArtifact:
        """Verify an artifact, try it out, and read what happened since; it is not in use yet.

        Raises ArtifactNotFound, ArtifactCorrupt or SQLAlchemyError.
        """
        artifact = self._store.try_out(version)
        as_of = as_of_time(artifact.manifest)
        state = self._follower.open(artifact.content, artifact.manifest.sequence, as_of)
        segments = SegmentCatalog(state.content, version, state.part(SegmentMembership))
        return LoadedArtifact(version, state, segments, as_of)

    def _poll(self) -> None:
        files = self._file_signatures()
        if files != self._seen_files:
            self._load_active()
            self._seen_files = files
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
        if self.current is not None and self.current.version == version:
            self.problem = None
            return
        try:
            self._serve(self.load(version))
        except DomainError as error:
            self._refuse(version, error)

    def _load_earlier(self) -> None:
        for version in self._earlier_versions():
            problem = self.problem
            try:
                self._serve(self.load(version))
            except DomainError as error:
                self._refuse(version, error)
            else:
                self.problem = f"{problem} Serving {version} instead."
                return

    def _earlier_versions(self) -> list[str]:
        """Return what may replace the active artifact: those active before, newest first; then approved ones."""
        try:
            earlier = self._store.standing()[-2::-1]
        except RegistryUnreadable:
            earlier = []
        listed = [entry for entry in self._store.listed() if entry.manifest and entry.manifest.verdict.is_approved]
        return [*earlier, *(entry.version for entry in listed if entry.version not in earlier)]

    def _serve(self, loaded: LoadedArtifact) -> None:
        before = self.current
        self._swap(loaded)
        self.has_artifact = True
        self.problem = None
        if loaded.version is not None and loaded.as_of is not None:
            self._telemetry.show_artifact(loaded.version, loaded.as_of.timestamp())
        self._log.info("artifact loaded", version=loaded.version, before=before.version if before else None)
        if loaded.segments.timezone != self._timezone:
            self._log.warning(
                "artifact counts days in another time zone than the setting",
                version=loaded.version,
                artifact=loaded.segments.timezone,
                setting=self._timezone,
            )

    def _swap(self, loaded: LoadedArtifact) -> None:
        """Answer from an artifact from here on: nothing that was acknowledged is missing in it."""
        before = self.current
        with self._follower.admit(loaded.state, replacing=before.state if before else None):
            self.current = loaded

    def _refuse(self, version: str, error: DomainError) -> None:
        self.problem = str(error)
        self._telemetry.refused_artifacts.inc()
        self._log.error("artifact refused", version=version, reason=str(error))

    def _refresh_fallback(self) -> None:
        begun = time.monotonic()
        content = self._load_fallback()
        if content is not None:
            state = self._follower.open_fallback(content)
            self._swap(LoadedArtifact(None, state, SegmentCatalog(state.content, None, state.part(SegmentMembership))))
        elif self.current is not None:
            before, self.current = self.current, None
            self._follower.dismiss(before.state)
        # The pause grows with the cost, so that a large history is not counted over and over.
        self._fallback_due_at = time.monotonic() + max(MIN_FALLBACK_PAUSE_SECONDS, 20 * (time.monotonic() - begun))

    def _file_signatures(self) -> object:
        """Return what changes when another artifact is activated, or when the files of a refused one are repaired."""
        try:
            version = self._store.active_version()
            paths = sorted(self._store.folder_of(version).iterdir()) if version else []
        except (DomainError, OSError):
            paths = []
        return [_signature(path) for path in (self._store.active_path, *paths)]


def _signature(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return path.name, status.st_mtime_ns, status.st_size, status.st_ino
