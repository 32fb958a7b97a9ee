"""Errors in an artifact on disk."""

from pathlib import Path


class ArtifactInvalid(Exception):
    """An artifact that must not be served, with the file and the reason."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason
