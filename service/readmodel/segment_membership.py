"""Who is in the segments that users define, now: kept in memory, and refreshed where facts changed."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.segments import read_segment_report
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.profiles import UNKNOWN_ROW, Profiles
from service.readmodel.ranked_accounts import Definition, RankedAccounts, SegmentMembers
from service.readmodel.rule_evaluation import matches
from service.readmodel.rule_grammar import FieldRule, reads_attributes
from service.readmodel.visible_accounts import visible_accounts

STRATEGIC: Final = "strategic.accounts"
MAX_DRAFT_CHANGES: Final = 10_000
NO_ROWS: Final = np.empty(0, dtype=np.int64)
Attributes = Mapping[str, Mapping[str, Any]]
"""What is stored under attributes, by account."""


class Owner(Protocol):
    """An account whose orders changed since the artifact."""

    @property
    def owned(self) -> NDArray[np.int32]:
        """Product rows that it owns now."""


STRATEGIC_DEFINITION: Final = Definition(
    STRATEGIC,
    "Strategic accounts",
    "Declared to be wanted, whatever they are worth today.",
    FieldRule(field="is_strategic", op="eq", value=True),
)


@dataclass
class Draft:
    """A segment that was evaluated before it is stored. changed: accounts whose facts changed since."""

    members: SegmentMembers | None = None
    changed: set[str] = field(default_factory=set)


class SegmentMembership:
    """One writer, many readers, as the live state that it is a part of.

    version_token: another object after each change.
    newcomers:     accounts that are new since the artifact.
    """

    def __init__(self, content: Content, as_of_day: int, owners: Mapping[str, Owner]) -> None:
        self.version_token: object = object()
        self.strategic: set[str] = set()
        self.ranked_accounts = RankedAccounts(content, as_of_day)
        self.newcomers: set[str] = set()
        self._content = content
        self._accounts = visible_accounts(content.account_ids)
        self._as_of_day = as_of_day
        self._owners = owners
        self._members: dict[str, SegmentMembers] = {}
        self._drafts: dict[str, Draft] = {}

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        as_of_day = read_segment_report(state.content.segments).get("as_of_day", 0)
        return cls(state.content, as_of_day, state.part(Ownership).by_account)

    def segments(self) -> list[SegmentMembers]:
        """Return every segment of a rule."""
        return list(self._members.values())

    def find(self, segment_id: str) -> SegmentMembers | None:
        """Return a segment of a rule."""
        return self._members.get(segment_id)

    def segments_of(self, account_id: str, row: int | None) -> Iterator[Definition]:
        """Yield the segments of rules that an account is in. row: where the artifact has it."""
        rows = np.array([] if row is None else [row], dtype=np.int64)
        for members in self.segments():
            if account_id in members.newcomers or self.ranked_accounts.has(members, rows).any():
                yield members.definition

    @property
    def has_attributes(self) -> bool:
        """Tell whether any rule asks for attributes."""
        return any_reads_attributes(members.definition for members in self._members.values())

    def set_strategic(self, account_ids: Iterable[str], strategic: set[str]) -> None:
        """Store which of some accounts are strategic now. ``refresh`` places them."""
        self.strategic = (self.strategic - set(account_ids)) | strategic

    def add_newcomers(self, account_ids: Iterable[str]) -> None:
        """Note those of some accounts that the artifact does not know."""
        row_of = self._content.account_ids.row_of
        new = {account_id for account_id in account_ids if row_of(account_id) is None}
        if not new <= self.newcomers:
            self.newcomers = self.newcomers | new

    def define(self, definitions: Sequence[Definition], attributes: Attributes) -> None:
        """Add or replace segments, and place all accounts.

        attributes: of all accounts, if any of the rules asks for them.
        """
        for definition in definitions:
            self._put(self.ranked_accounts.with_series(self.preview(definition, attributes)))

    def preview(self, definition: Definition, attributes: Attributes) -> SegmentMembers:
        """Return who would be in a segment, without its series. attributes: as for ``define``."""
        known = self._content.account_ids.texts
        newcomers = sorted(self.newcomers)
        rows = np.concatenate([np.arange(len(known)), np.full(len(newcomers), UNKNOWN_ROW)])
        account_ids = (*known, *newcomers) if attributes else ()
        profiles = Profiles(
            self._content,
            self._as_of_day,
            rows,
            *self._live_facts(newcomers),
            [attributes.get(account_id, {}) for account_id in account_ids],
        )
        is_in = matches(definition.rule, profiles)
        is_in[sorted(self._accounts.hidden.rows)] = False
        new = [
            account_id for account_id, belongs in zip(newcomers, is_in[len(known) :].tolist(), strict=True) if belongs
        ]
        return self.ranked_accounts.measure(definition, np.flatnonzero(is_in[: len(known)]), frozenset(new))

    def _live_facts(self, newcomers: Sequence[str]) -> tuple[dict[int, NDArray[np.int32]], NDArray[np.bool_]]:
        """Return what is owned now by position, and bool (n,), who is strategic: newcomers follow known accounts."""
        n_known = len(self._content.account_ids)
        position_of = {account_id: n_known + place for place, account_id in enumerate(newcomers)}

        def position(account_id: str) -> int | None:
            row = self._content.account_ids.row_of(account_id)
            return position_of.get(account_id) if row is None else row

        owned_now = {
            place: owner.owned
            for account_id, owner in tuple(self._owners.items())
            if (place := position(account_id)) is not None
        }
        is_strategic = np.zeros(n_known + len(newcomers), dtype=np.bool_)
        for account_id in self.strategic:
            if (place := position(account_id)) is not None:
                is_strategic[place] = True
        return owned_now, is_strategic

    @contextmanager
    def draft(self, definition: Definition, read: Callable[[], Attributes]) -> Iterator[SegmentMembers]:
        """Evaluate a segment that is about to be stored, so that ``accept_draft`` need not evaluate it again.

        read: reads what is stored of all accounts. It is called only if the rule asks for attributes.
        Store the segment, and apply its change, before the block ends.
        """
        # Registered before anything is read: facts that change from here on are placed again.
        draft = self._drafts[definition.id] = Draft()
        try:
            draft.members = self.preview(definition, read() if reads_attributes(definition.rule) else {})
            yield draft.members
        finally:
            if self._drafts.get(definition.id) is draft:
                self._drafts.pop(definition.id, None)

    def accept_draft(self, definition: Definition, read: Callable[[Sequence[str]], Attributes]) -> bool:
        """Add or replace a segment that was evaluated before it was stored; return whether there is a draft of it.

        read: reads what is stored of some accounts.
        """
        draft = self._drafts.get(definition.id)
        if draft is None or draft.members is None or draft.members.definition.rule != definition.rule:
            return False
        members = self.ranked_accounts.with_series(replace(draft.members, definition=definition))
        if changed := sorted(draft.changed):
            attributes = read(changed) if reads_attributes(definition.rule) else {}
            members = self._place(members, changed, self._profiles_of(changed, attributes))
        self._put(members)
        return True

    def forget(self, segment_id: str) -> None:
        """Remove a segment."""
        if segment_id in self._members:
            self._members = {key: members for key, members in self._members.items() if key != segment_id}
            self.version_token = object()

    def refresh(self, account_ids: Sequence[str], attributes: Attributes) -> None:
        """Place some accounts anew, since their facts changed. attributes: of these, if any rule asks for them."""
        self.add_newcomers(account_ids)
        for segment_id, draft in list(self._drafts.items()):
            draft.changed.update(account_ids)
            if len(draft.changed) > MAX_DRAFT_CHANGES:
                self._drafts.pop(segment_id, None)
        if not self._members or not account_ids:
            return
        profiles = self._profiles_of(account_ids, attributes)
        for members in self.segments():
            placed = self._place(members, account_ids, profiles)
            if placed is not members:
                self._put(placed)

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return self.strategic.union(self.newcomers, *(members.newcomers for members in self.segments()))

    def erase(self, account_ids: Collection[str], rows: Collection[int]) -> None:
        """See ``AccountPart``. Segments that are being evaluated are evaluated anew."""
        self._drafts.clear()
        self.strategic, self.newcomers = self.strategic.difference(account_ids), self.newcomers.difference(account_ids)
        hidden = np.array(sorted(rows), dtype=np.int64)
        for members in self.segments():
            went = hidden[self.ranked_accounts.has(members, hidden)]
            placed = self.ranked_accounts.change(members, NO_ROWS, went) if len(went) else members
            self._put(replace(placed, newcomers=placed.newcomers.difference(account_ids)))
        self.version_token = object()

    def _put(self, members: SegmentMembers) -> None:
        self._members = {**self._members, members.definition.id: members}
        self.version_token = object()

    def _profiles_of(self, account_ids: Sequence[str], attributes: Attributes) -> Profiles:
        rows = [self._content.account_ids.row_of(account_id) for account_id in account_ids]
        owners = [self._owners.get(account_id) for account_id in account_ids]
        return Profiles(
            self._content,
            self._as_of_day,
            np.array([UNKNOWN_ROW if row is None else row for row in rows], dtype=np.int64),
            {place: owner.owned for place, owner in enumerate(owners) if owner is not None},
            np.array([account_id in self.strategic for account_id in account_ids], dtype=np.bool_),
            [attributes.get(account_id, {}) for account_id in account_ids] if attributes else [],
        )

    def _place(self, members: SegmentMembers, account_ids: Sequence[str], profiles: Profiles) -> SegmentMembers:
        """Return who is in a segment now: the same object if no account came or went."""
        rows, is_in = profiles.rows, matches(members.definition.rule, profiles)
        is_known = rows != UNKNOWN_ROW
        known, belongs = rows[is_known], is_in[is_known]
        was_in = self.ranked_accounts.has(members, known)
        came, went = known[belongs & ~was_in], known[was_in & ~belongs]
        if len(came) or len(went):
            members = self.ranked_accounts.change(members, came, went)
        new = [(account_ids[place], bool(is_in[place])) for place in np.flatnonzero(~is_known).tolist()]
        newcomers = members.newcomers.difference(account_id for account_id, _ in new)
        newcomers = newcomers.union(account_id for account_id, belongs in new if belongs)
        return members if newcomers == members.newcomers else replace(members, newcomers=newcomers)


def any_reads_attributes(definitions: Iterable[Definition]) -> bool:
    """Tell whether the rule of any segment asks for what is stored under attributes."""
    return any(reads_attributes(definition.rule) for definition in definitions)
