"""Who is in the segments that people define, now: kept in memory, and refreshed where facts changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from service.readmodel.profiles import UNKNOWN_ROW, Profiles
from service.readmodel.ranked_accounts import Definition, RankedAccounts, SegmentMembers
from service.readmodel.rule_evaluation import matches
from service.readmodel.rule_grammar import FieldRule, reads_attributes

STRATEGIC: Final = "strategic.accounts"
Attributes = Mapping[str, Any]
ReadAttributes = Callable[[Sequence[str] | None], Mapping[str, Attributes]]
"""Reads what is stored of some accounts, or of all (None)."""


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


class SegmentMembership:
    """One writer, many readers, as the live state that it is a part of. ``stamp`` is another object after each change.

    roll: the artifact's accounts. owners: accounts whose orders changed since the artifact, with what they own now.
    newcomers: accounts that are new since the artifact.
    """

    def __init__(self, content: Content, as_of_day: int, owners: Mapping[str, Owner]) -> None:
        self.stamp: object = object()
        self.strategic: set[str] = set()
        self.roll = RankedAccounts(content, as_of_day)
        self._content = content
        self._as_of_day = as_of_day
        self._owners = owners
        self.newcomers: set[str] = set()
        self._members: dict[str, SegmentMembers] = {}

    def segments(self) -> list[SegmentMembers]:
        """Every segment of a rule."""
        return list(self._members.values())

    def find(self, segment_id: str) -> SegmentMembers | None:
        """Return a segment of a rule."""
        return self._members.get(segment_id)

    def segments_of(self, account_id: str, row: int | None) -> Iterator[Definition]:
        """Go through the segments of rules that an account is in. row: where the artifact has it."""
        rows = np.array([] if row is None else [row], dtype=np.int64)
        for members in self.segments():
            if account_id in members.newcomers or self.roll.has(members, rows).any():
                yield members.definition

    @property
    def has_attributes(self) -> bool:
        """Tell whether any rule asks for attributes."""
        return any(reads_attributes(of.definition.rule) for of in self._members.values())

    def set_strategic(self, account_ids: Iterable[str], strategic: set[str]) -> None:
        """Note which of some accounts are strategic now. ``refresh`` places them."""
        self.strategic = (self.strategic - set(account_ids)) | strategic

    def define(self, definition: Definition, read: ReadAttributes) -> None:
        """Add or replace a segment, and place everyone."""
        attributes = read(None) if reads_attributes(definition.rule) else {}
        members = self.roll.with_series(self.preview(definition, attributes))
        self._members = {**self._members, definition.id: members}
        self.stamp = object()

    def preview(self, definition: Definition, attributes: Mapping[str, Attributes]) -> SegmentMembers:
        """Tell who would be in a segment, save its series. attributes: of every account, if the rule asks for them."""
        texts = self._content.account_ids.texts
        n = len(texts)
        newcomers = sorted(self.newcomers)
        rows = np.concatenate([np.arange(n), np.full(len(newcomers), UNKNOWN_ROW)])
        by_position = [attributes.get(of, {}) for of in (*texts, *newcomers)] if attributes else []
        is_strategic = np.zeros(len(rows), dtype=np.bool_)
        position_of = {of: n + place for place, of in enumerate(newcomers)}
        for account_id in self.strategic:
            if (position := self._position(account_id, position_of)) is not None:
                is_strategic[position] = True
        owned_now: dict[int, NDArray[np.int32]] = {}
        for account_id, owner in tuple(self._owners.items()):
            if (position := self._position(account_id, position_of)) is not None:
                owned_now[position] = owner.owned
        profiles = Profiles(self._content, self._as_of_day, rows, owned_now, is_strategic, by_position)
        found = matches(definition.rule, profiles)
        new = frozenset(of for of, is_in in zip(newcomers, found[n:].tolist(), strict=True) if is_in)
        return self.roll.measure(definition, np.flatnonzero(found[:n]), new)

    def _position(self, account_id: str, newcomers: Mapping[str, int]) -> int | None:
        row = self._content.account_ids.row_of(account_id)
        return newcomers.get(account_id) if row is None else row

    def forget(self, segment_id: str) -> None:
        """Remove a segment."""
        if segment_id in self._members:
            self._members = {of: members for of, members in self._members.items() if of != segment_id}
            self.stamp = object()

    def refresh(self, account_ids: Sequence[str], read: ReadAttributes) -> None:
        """Place some accounts anew, since their facts changed."""
        found = [self._content.account_ids.row_of(account_id) for account_id in account_ids]
        self.newcomers |= {of for of, row in zip(account_ids, found, strict=True) if row is None}
        if not self._members or not account_ids:
            return
        rows = np.array([UNKNOWN_ROW if row is None else row for row in found], dtype=np.int64)
        attributes = read(account_ids) if self.has_attributes else {}
        profiles = Profiles(
            self._content,
            self._as_of_day,
            rows,
            {place: owner.owned for place, of in enumerate(account_ids) if (owner := self._owners.get(of)) is not None},
            np.array([of in self.strategic for of in account_ids], dtype=np.bool_),
            [attributes.get(of, {}) for of in account_ids] if attributes else [],
        )
        for segment_id, members in self._members.items():
            is_in = matches(members.definition.rule, profiles)
            placed = self._place(members, account_ids, rows, is_in)
            if placed is not members:
                self._members = {**self._members, segment_id: placed}
                self.stamp = object()

    def _place(
        self, members: SegmentMembers, account_ids: Sequence[str], rows: NDArray[np.int64], is_in: NDArray[np.bool_]
    ) -> SegmentMembers:
        """Return who is in a segment now: the same object if nobody came or went."""
        is_known = rows != UNKNOWN_ROW
        known, belongs = rows[is_known], is_in[is_known]
        was_in = self.roll.has(members, known)
        came, went = known[belongs & ~was_in], known[was_in & ~belongs]
        if len(came) or len(went):
            members = self.roll.change(members, came, went)
        new = [(account_ids[place], bool(is_in[place])) for place in np.flatnonzero(~is_known).tolist()]
        newcomers = members.newcomers.difference(of for of, _ in new).union(of for of, belongs in new if belongs)
        return members if newcomers == members.newcomers else replace(members, newcomers=newcomers)
