"""The manifest: what an artifact was learned from, its metrics, and the checksum of every file in it."""

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.artifact.errors import ArtifactInvalid

FORMAT = "nextoffer-artifact"
FORMAT_VERSION = 10
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """One file of the artifact."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Verdict:
    """The gate's decision. A rejected artifact is kept for study and never activated, unless forced."""

    is_approved: bool
    reason: str
    is_forced: bool = False


@dataclass(frozen=True)
class Manifest:
    """Everything about an artifact but its arrays. It carries no clock: the same data and seed give the same bytes.

    sequence: the newest change of the database that was learned from; None if not all of the history was.
    reporting_currency: of all money figures, ISO 4217; None where the history names none.
    label:    the operator's own text. Without one the file has no such field, as in artifacts from before labels.
    timezone: of days, an IANA name. In UTC the file has no such field, as in artifacts from before time zones.
    """

    as_of: str
    data_fingerprint: str
    counts: dict[str, int]
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    verdict: Verdict
    library_versions: dict[str, str]
    files: dict[str, FileEntry]
    sequence: int | None = None
    reporting_currency: str | None = None
    label: str = ""
    timezone: str = "UTC"
    version: str = ""
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def sealed(self) -> "Manifest":
        """Name the artifact by its as-of time and a digest of all else: the name is the manifest's own checksum."""
        body = replace(self, version="").to_document()
        digest = sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
        stamp = self.as_of.replace("-", "").replace(":", "")
        return replace(self, version=f"{stamp}-{digest}")

    def to_document(self) -> dict[str, Any]:
        """Return the fields as the file holds them."""
        document = asdict(self)
        if not self.label:
            del document["label"]
        if self.timezone == "UTC":
            del document["timezone"]
        return document

    def to_json(self) -> str:
        return json.dumps(self.to_document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read and check a folder's manifest; raises ArtifactInvalid with the file and the reason."""
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactInvalid(path, "missing: the artifact is partial, or this is no artifact") from None
    except (ValueError, OSError) as error:
        raise ArtifactInvalid(path, f"unreadable: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtifactInvalid(path, "foreign: not a nextoffer artifact")
    if document.get("format_version") != FORMAT_VERSION:
        version = document.get("format_version")
        raise ArtifactInvalid(path, f"format version {version!r}; this release reads {FORMAT_VERSION}: train again")
    manifest = _parse(path, document)
    if manifest.sealed().version != manifest.version:
        raise ArtifactInvalid(path, "altered: its content does not match its version")
    return manifest


def _parse(path: Path, document: dict[str, Any]) -> Manifest:
    try:
        files = {name: FileEntry(**entry) for name, entry in document.pop("files").items()}
        if strays := [name for name in files if Path(name).name != name]:
            raise ArtifactInvalid(path, f"foreign: names a file outside its folder: {strays[0]}")
        return Manifest(**{**document, "verdict": Verdict(**document.pop("verdict"))}, files=files)
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactInvalid(path, f"malformed: {error}") from None
