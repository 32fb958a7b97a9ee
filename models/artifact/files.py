"""Artifacts on disk: written aside and renamed, opened memory-mapped, verified before they are trusted."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.content import Content
from models.artifact.errors import ArtifactInvalid
from models.artifact.manifest import MANIFEST_NAME, FileEntry, Manifest, read_manifest
from models.artifact.sections import Arrays, SectionInvalid, check_arrays, declared_arrays

REPORT_NAME = "report.json"


@dataclass(frozen=True)
class Artifact:
    """A verified artifact: its manifest and its memory-mapped content."""

    folder: Path
    manifest: Manifest
    content: Content

    @property
    def version(self) -> str:
        return self.manifest.version


def write_artifact(root: Path, content: Content, describe: Callable[[dict[str, FileEntry]], Manifest]) -> Path:
    """Write an artifact under ``root`` and return its folder.

    describe: makes the manifest from the files' checksums.
    The folder appears complete or not at all: it is written under a temporary name, flushed, and renamed. The same
    content has the same version, so writing it twice changes nothing.
    """
    root.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".writing-", dir=root))
    try:
        for stem, array in content.to_arrays().items():
            np.save(aside / f"{stem}.npy", array, allow_pickle=False)
        (aside / REPORT_NAME).write_bytes(content.report)
        manifest = describe({path.name: _entry(path) for path in sorted(aside.iterdir())}).sealed()
        (aside / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
        target = root / manifest.version
        if target.exists():
            verify_files(target, read_manifest(target))
            return target
        aside.chmod(0o755)
        for path in (*aside.iterdir(), aside):
            _flush(path)
        aside.rename(target)
        _flush(root)
        return target
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def list_artifacts(root: Path) -> Iterator[Path]:
    """Folders under ``root`` that could be artifacts, newest data first; half-written ones are passed over."""
    if root.is_dir():
        folders = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        yield from sorted(folders, key=lambda path: path.name, reverse=True)


def open_artifact(folder: Path, *, verify: bool = True) -> Artifact:
    """Verify an artifact by its checksums and map it; raises ArtifactInvalid with the file and the reason.

    verify=False skips the checksums, for a folder that was just verified. Dtypes and shapes are always checked.
    """
    manifest = read_manifest(folder)
    if manifest.version != folder.resolve().name:
        raise ArtifactInvalid(folder, f"is named otherwise than its manifest's version {manifest.version}")
    if verify:
        verify_files(folder, manifest)
    content = Content.from_arrays(_map_arrays(folder, manifest), report=(folder / REPORT_NAME).read_bytes())
    return Artifact(folder, manifest, content)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file's size and SHA-256 with the manifest; raises ArtifactInvalid at the first difference."""
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactInvalid(path, "missing: the artifact is partial")
        size = path.stat().st_size
        if size != entry.size_bytes:
            raise ArtifactInvalid(path, f"truncated or altered: {size} bytes, not {entry.size_bytes}")
        if _entry(path) != entry:
            raise ArtifactInvalid(path, "corrupt: its SHA-256 differs from the manifest's")


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as stream:
        return FileEntry(file_digest(stream, "sha256").hexdigest(), path.stat().st_size)


def _map_arrays(folder: Path, manifest: Manifest) -> Arrays:
    paths = {declared.stem: folder / f"{declared.stem}.npy" for declared in declared_arrays(Content)}
    for path in paths.values():
        if path.name not in manifest.files:
            raise ArtifactInvalid(path, "missing from the manifest")
    arrays = {stem: _map(path) for stem, path in paths.items()}
    try:
        check_arrays(Content, arrays)
    except SectionInvalid as invalid:
        raise ArtifactInvalid(paths[invalid.stem], invalid.reason) from None
    return arrays


def _map(path: Path) -> NDArray[Any]:
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise ArtifactInvalid(path, f"no readable array: {error}") from None
    # A plain view: the memmap class costs several times more per index, and the mapping stays alive as its base.
    return np.asarray(mapped)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
