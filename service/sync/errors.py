"""Why an artifact is not activated."""

from pathlib import Path

from models.artifact import ArtifactInvalid
from service.base.errors import DomainError


class ArtifactNotFound(DomainError):
    """No artifact of that version is in the folder."""

    code = "artifact-not-found"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"There is no artifact {version}. GET /v1/artifacts and nextoffer artifacts list show those that there are."
        )


class ArtifactRejected(DomainError):
    """The gate of the evaluation rejected the artifact."""

    code = "artifact-rejected"

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"The gate rejected {version}: {reason} Activate it with --force to serve it all the same.")


class ArtifactCorrupt(DomainError):
    """The artifact can't be trusted: which file, and what is wrong with it."""

    code = "artifact-corrupt"

    def __init__(self, version: str, invalid: ArtifactInvalid) -> None:
        super().__init__(f"{version} is not good: {invalid.file.name}: {invalid.reason}")


class SmokeTestFailed(ArtifactCorrupt):
    """The files are as they were written, yet no answer can be made from them."""

    def __init__(self, version: str, error: Exception) -> None:
        DomainError.__init__(self, f"{version} can't answer: {type(error).__name__}: {error}")


class NothingToRollBack(DomainError):
    """No earlier activation is left, or none of them is good any more."""

    code = "nothing-to-roll-back"

    def __init__(self) -> None:
        super().__init__(
            "There is no earlier good artifact to go back to. Train another, or activate one by its version."
        )


class RegistryUnreadable(DomainError):
    """``active.json`` exists but says nothing sensible."""

    code = "registry-unreadable"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} can't be read. Activate an artifact to write it anew.")
