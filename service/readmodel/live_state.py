"""What happened since one artifact, in memory: a container of parts, each kept current by a section of a domain."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from models.artifact import Content
from service.base.windows import DEFAULT_WINDOWS, Windows
from service.readmodel.visible_accounts import VisibleAccounts, visible_accounts


class LivePart(Protocol):
    """One part of the live state: it has one writer and many readers, and replaces whole entries."""

    @classmethod
    def empty(cls, state: "LiveState") -> Self:
        """Make the part as it is before anything happened since the artifact."""


@runtime_checkable
class AccountPart(Protocol):
    """A part that holds something of single accounts, and forgets it when they are erased."""

    def account_ids(self) -> Iterable[str]:
        """Return every account that the part holds something of."""

    def erase(self, account_ids: Collection[str], rows: Collection[int]) -> None:
        """Forget accounts. rows: theirs in the artifact, which are hidden by now."""


Part = TypeVar("Part", bound=LivePart)


class LiveState:
    """What happened since an artifact.

    content:  the artifact's, whose accounts can be hidden.
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
        self.accounts: VisibleAccounts = visible_accounts(content.account_ids)
        self.content = replace(content, account_ids=self.accounts)
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

    def account_parts(self) -> list[AccountPart]:
        """Return the parts that hold something of single accounts."""
        return [part for part in tuple(self._parts.values()) if isinstance(part, AccountPart)]

    def replace_part(self, part: LivePart) -> None:
        """Put a part in place of the one of its type."""
        self._parts[type(part)] = part
