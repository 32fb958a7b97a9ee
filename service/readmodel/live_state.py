"""What happened since one artifact, in memory: a container of parts, each kept current by a section of a domain."""

from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

from models.artifact import Content
from service.base.windows import DEFAULT_WINDOWS, Windows


class LivePart(Protocol):
    """One part of the live state: it has one writer and many readers, and replaces whole entries."""

    @classmethod
    def empty(cls, state: "LiveState") -> Self:
        """Make the part as it is before anything happened since the artifact."""


Part = TypeVar("Part", bound=LivePart)


class LiveState:
    """What happened since an artifact.

    content:  the artifact's.
    sequence: the newest change that is applied.
    is_history_complete: whether the database holds all that the artifact was trained on, and so overrides it. An
        artifact trained on files knows of purchases that the database may not have.
    as_of:   where the artifact's history ends; None for the fallback.
    windows: for how long returns and lost deals count.
    """

    def __init__(
        self,
        content: Content,
        sequence: int,
        *,
        is_history_complete: bool = True,
        as_of: datetime | None = None,
        windows: Windows = DEFAULT_WINDOWS,
    ) -> None:
        self.content = content
        self.sequence = sequence
        self.is_history_complete = is_history_complete
        self.as_of = as_of
        self.windows = windows
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[Part]) -> Part:
        """Return the part of a type; it is made empty on first use."""
        try:
            part: Part = self._parts[kind]
        except KeyError:
            # setdefault: of two threads that come first, both get the same part.
            part = self._parts.setdefault(kind, kind.empty(self))
        return part

    def replace_part(self, part: LivePart) -> None:
        """Put a part in place of the one of its type."""
        self._parts[type(part)] = part
