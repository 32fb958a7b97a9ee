"""Which artifacts there are, and which one is active: a folder, and ``active.json`` in it.

``active.json`` is ``{"version": ..., "history": [{"version", "activated_at", "by"}, ...]}``, oldest first, with ``by``
one of ``activate`` and ``rollback``. It is always replaced whole.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.artifact import Artifact, ArtifactInvalid, Content, Manifest, list_artifacts, open_artifact, read_manifest
from service.sync.errors import (
    ArtifactCorrupt,
    ArtifactNotFound,
    ArtifactRejected,
    NothingToRollBack,
    RegistryUnreadable,
    SmokeTestFailed,
)

ACTIVE_NAME = "active.json"
MAX_HISTORY = 200

SmokeTest = Callable[[Content], None]
"""Asks an artifact's content for answers; raises whatever a malformed artifact breaks."""


@dataclass(frozen=True)
class Activation:
    """One line of the history."""

    version: str
    activated_at: str
    by: str


@dataclass(frozen=True)
class Listed:
    """One folder of the registry; manifest is None where it can't be read, and problem tells why."""

    version: str
    manifest: Manifest | None
    problem: str | None


class ArtifactStore:
    """The registry's folder. smoke_test: what an artifact must pass before it is activated or served."""

    def __init__(self, root: Path, smoke_test: SmokeTest) -> None:
        self.root = root
        self._smoke_test = smoke_test
        self.active_path = root / ACTIVE_NAME

    def listed(self) -> Iterator[Listed]:
        """Every artifact, newest data first. Manifests are checked, files are not."""
        for folder in list_artifacts(self.root):
            try:
                yield Listed(folder.name, read_manifest(folder), None)
            except ArtifactInvalid as invalid:
                yield Listed(folder.name, None, f"{invalid.file.name}: {invalid.reason}")

    def folder_of(self, version: str) -> Path:
        """Return the artifact's folder; raises ArtifactNotFound. A version is never joined to a path unseen."""
        for folder in list_artifacts(self.root):
            if folder.name == version:
                return folder
        raise ArtifactNotFound(version)

    def open(self, version: str) -> Artifact:
        """Verify every file and map the artifact; raises ArtifactNotFound or ArtifactCorrupt."""
        folder = self.folder_of(version)
        try:
            return open_artifact(folder)
        except ArtifactInvalid as invalid:
            raise ArtifactCorrupt(version, invalid) from invalid

    def try_out(self, version: str) -> Artifact:
        """Verify an artifact and ask it for answers; raises ArtifactNotFound or ArtifactCorrupt."""
        artifact = self.open(version)
        try:
            self._smoke_test(artifact.content)
        except Exception as error:  # Whatever a malformed artifact breaks, it must break here and not in a request.
            raise SmokeTestFailed(version, error) from error
        return artifact

    def show(self, version: str) -> tuple[Manifest, bytes]:
        """Return the manifest and the evaluation report; raises ArtifactNotFound or ArtifactCorrupt."""
        artifact_folder = self.folder_of(version)
        try:
            artifact = open_artifact(artifact_folder, verify=False)
        except (ArtifactInvalid, OSError) as invalid:
            raise ArtifactCorrupt(version, _as_invalid(artifact_folder, invalid)) from invalid
        return artifact.manifest, artifact.content.report

    def active_version(self) -> str | None:
        """Return the activated version, or None if nothing was ever activated; raises RegistryUnreadable."""
        history = self.history()
        return history[-1].version if history else None

    def history(self) -> list[Activation]:
        """Every activation, oldest first; raises RegistryUnreadable."""
        try:
            document = json.loads(self.active_path.read_bytes())
            return [Activation(**entry) for entry in document["history"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RegistryUnreadable(self.active_path) from error

    def standing(self) -> list[str]:
        """Versions that a rollback could return to, the active one last: what a rollback undid is gone from it."""
        stack: list[str] = []
        for entry in self.history():
            if entry.by == "rollback" and entry.version in stack:
                del stack[stack.index(entry.version) + 1 :]
            else:
                stack = [version for version in stack if version != entry.version] + [entry.version]
        return stack

    def activate(self, version: str, *, force: bool = False, now: datetime | None = None) -> None:
        """Verify an artifact, try it out, and make it the active one; running services load it within a poll.

        Raises ArtifactNotFound, ArtifactCorrupt (force does not help), or ArtifactRejected unless forced.
        """
        with self._locked():
            verdict = self.try_out(version).manifest.verdict
            if not (verdict.is_approved or force):
                raise ArtifactRejected(version, verdict.reason)
            self._append(version, "activate", now)

    def rollback(self, *, now: datetime | None = None) -> str:
        """Activate the good artifact that was active before, and return its version; raises NothingToRollBack."""
        with self._locked():
            for version in reversed(self.standing()[:-1]):
                try:
                    self.try_out(version)
                except (ArtifactNotFound, ArtifactCorrupt):
                    continue
                self._append(version, "rollback", now)
                return version
        raise NothingToRollBack

    def _append(self, version: str, by: str, now: datetime | None) -> None:
        activated_at = (now or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            history = self.history()
        except RegistryUnreadable:
            history = []
        history = [*history, Activation(version, activated_at, by)][-MAX_HISTORY:]
        document = {"version": version, "history": [asdict(entry) for entry in history]}
        _replace_file(self.active_path, json.dumps(document, indent=2) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _replace_file(path: Path, text: str) -> None:
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _as_invalid(folder: Path, error: Exception) -> ArtifactInvalid:
    return error if isinstance(error, ArtifactInvalid) else ArtifactInvalid(folder, str(error))
