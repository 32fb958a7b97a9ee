"""What can be wrong with an artifact on disk."""

from pathlib import Path


class ArtifactInvalid(Exception):
    """An artifact that must not be served: which file, what is wrong, and nothing is loaded."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason
