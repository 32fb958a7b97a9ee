"""Live sections: what each domain keeps in memory beside the artifact. This package knows sections, not domains.

A domain that keeps something in memory declares a section in its own ``live.py``, together with the kinds of change
that touch it. ``service.server.live_sections`` lists the sections of the application.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.readmodel.live_state import LiveState
from service.storage.changes import ChangeKind


@dataclass(frozen=True)
class ChangeSet:
    """The facts that changed, by kind: identifiers, each once per kind. They include kinds that nobody here knows.

    sequence: the newest change among them.
    is_last:  whether nothing newer was committed when they were read.
    unlogged_since: facts may have changed since this moment without being named here, as the change log does not reach
        back to the artifact; None where it does.
    """

    ids_by_kind: Mapping[str, Sequence[str]]
    sequence: int
    is_last: bool = True
    unlogged_since: datetime | None = None

    def ids(self, *kinds: ChangeKind) -> list[str]:
        """Return the identifiers under some kinds, each once, in the order of the changes."""
        return list(dict.fromkeys(key for kind in kinds for key in self.ids_by_kind.get(kind, ())))


ApplyChanges = Callable[[LiveState, Connection, ChangeSet], None]


@dataclass(frozen=True)
class LiveSection:
    """What one domain keeps in memory: parts of the live state, and how they are kept current.

    kinds:   the kinds of change that touch it.
    load:    reads it in bulk when an artifact is opened. The change set holds every change since the artifact.
    refresh: reads what the touched facts are now. Called only for a change set with one of its kinds.
    reads:   names of the sections whose parts this one reads. They come before it.
    """

    name: str
    kinds: frozenset[ChangeKind]
    load: ApplyChanges
    refresh: ApplyChanges
    reads: frozenset[str] = frozenset()


class LiveSections:
    """Every section of the application, in the order in which they are loaded and refreshed."""

    def __init__(self, sections: Sequence[LiveSection]) -> None:
        self._sections: Final = tuple(sections)
        _check_order(self._sections)

    def load(self, state: LiveState, connection: Connection, changes: ChangeSet) -> None:
        """Read everything that a new state must hold."""
        for section in self._sections:
            section.load(state, connection, changes)
        state.sequence = changes.sequence

    def refresh(self, state: LiveState, connection: Connection, changes: ChangeSet) -> None:
        """Read what the facts that changed are now. Changes of an unknown kind are ignored.

        The facts are at least as new as the changes, which were read before.
        """
        for section in self._sections:
            if any(changes.ids_by_kind.get(kind) for kind in section.kinds):
                section.refresh(state, connection, changes)
        state.sequence = changes.sequence


def _check_order(sections: Sequence[LiveSection]) -> None:
    names: set[str] = set()
    for section in sections:
        if section.name in names:
            raise ValueError(f"two live sections are named {section.name!r}")
        if missing := section.reads - names:
            raise ValueError(f"live section {section.name!r} must come after {', '.join(sorted(missing))}")
        names.add(section.name)
