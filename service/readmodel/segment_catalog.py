"""The segments of the artifact in use, and those that users define."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.customers import NOT_SEGMENTED
from models.artifact.measures import Totals, describe_sums
from models.artifact.segments import read_segment_report
from service.readmodel.errors import UnknownFamily, UnknownSegment
from service.readmodel.ranked_accounts import SegmentMembers
from service.readmodel.segment_membership import STRATEGIC, SegmentMembership
from service.readmodel.visible_accounts import visible_accounts

EVERYONE = "all.accounts"
LEARNED_FAMILIES = ("cluster",)
RULE_FAMILY = {"id": "custom", "name": "Defined by users"}
NO_ACCOUNTS: frozenset[str] = frozenset()

Series = tuple[NDArray[np.int32], NDArray[np.int64]]
"""First days of the periods, int32 (P,), and what was counted in them, int64 (P, len(COUNTS)); see
models.artifact.segments."""


class SegmentKind(StrEnum):
    """Where a segment comes from."""

    BUILT_IN = "built_in"
    LEARNED = "learned"
    RULE = "rule"


@dataclass(frozen=True)
class Segment:
    """One segment. measured: see ``models.artifact.measures.describe_sums``.

    column, code, row: where the artifact has it; column is -1 for a segment of a rule. members: of such a one.
    traits: of a learned segment, what sets its accounts apart.
    """

    id: str
    name: str
    family: str
    kind: SegmentKind
    measured: dict[str, Any]
    column: int = -1
    code: int = 0
    row: int = -1
    members: SegmentMembers | None = None
    traits: Sequence[Mapping[str, Any]] = ()

    @property
    def known_size(self) -> int:
        """Accounts in it that the artifact knows: what its other figures are of."""
        return int(self.measured["size"]) - len(self.newcomers)

    @property
    def newcomers(self) -> frozenset[str]:
        """Accounts in it that the artifact does not know."""
        return self.members.newcomers if self.members else NO_ACCOUNTS


class SegmentCatalog:
    """The segments of one artifact, and those of rules as accounts come and go."""

    def __init__(self, content: Content, version: str | None, membership: SegmentMembership) -> None:
        self.content = content
        self._visible = visible_accounts(content.account_ids)
        self.version = version
        self.membership = membership
        self._segment_report: dict[str, Any] = read_segment_report(content.segments)
        self.families: list[dict[str, Any]] = self._segment_report.get("families", [])
        self._learned = {segment.id: segment for segment in self._read()}
        self._described: dict[str, Segment] = {}
        activity = content.activity.day
        self.first_day = int(activity.min()) if len(activity) else 0
        self.report: dict[str, Any] = orjson.loads(content.report)
        parameters = self.report.get("customers", {}).get("parameters", {})
        self.value_terms = {name: parameters.get(name) for name in ("value_days", "annual_rate")}
        self.timezone: str = self.report.get("timezone", "UTC")
        self.as_of_day: int = self._segment_report.get("as_of_day", 0)

    @property
    def currency(self) -> str | None:
        """The currency of all money."""
        return self.content.currency.code

    def _read(self) -> Iterator[Segment]:
        row = 0
        for column, family in enumerate(self.families):
            kind = SegmentKind.LEARNED if family["id"] in LEARNED_FAMILIES else SegmentKind.BUILT_IN
            for code, entry in enumerate(family["segments"]):
                measured, traits = self._segment_report["segments"][entry["id"]], entry.get("traits", ())
                yield Segment(
                    entry["id"], entry["name"], family["id"], kind, measured, column, code, row, traits=traits
                )
                row += 1

    @property
    def version_token(self) -> object:
        """Another object after each change of anything that answers say of segments."""
        return self.membership.version_token

    def all_segments(self) -> list[Segment]:
        """Return every segment, family by family; those of rules last."""
        rule_segments = [self._rule_segment(members) for members in self.membership.segments()]
        by_id = {segment.id: segment for segment in rule_segments}
        learned = [by_id.pop(segment.id, segment) for segment in self._learned.values()]
        return [*learned, *(segment for segment in by_id.values() if segment.id != STRATEGIC)]

    def segments_of_family(self, family: str) -> list[Segment]:
        """Return the segments of a family; raises UnknownFamily."""
        known = [entry["id"] for entry in (*self.families, RULE_FAMILY)]
        if family not in known:
            raise UnknownFamily(family, known)
        return [segment for segment in self.all_segments() if segment.family == family]

    def find(self, segment_id: str) -> Segment:
        """Return a segment; raises UnknownSegment."""
        members = self.membership.find(segment_id)
        if members is not None:
            return self._rule_segment(members)
        try:
            return self._learned[segment_id]
        except KeyError:
            raise UnknownSegment(segment_id) from None

    def _rule_segment(self, members: SegmentMembers) -> Segment:
        """Describe a segment of a rule, unless no account came or went since it was last described."""
        known = self._described.get(members.definition.id)
        if known is None or known.members is not members:
            known = self._described[members.definition.id] = self.measure(members)
        return known

    def measure(self, members: SegmentMembers) -> Segment:
        """Describe a segment of a rule by its sums."""
        has_margins = self.membership.ranked_accounts.has_margins
        measured = describe_sums(members.sums, self._lines, self._everyone, has_margins=has_margins)
        measured["size"] = members.size
        everyone = self._everyone.size + len(self.membership.newcomers)
        measured["share_of_accounts"] = round(members.size / everyone, 6) if everyone else None
        family, kind = RULE_FAMILY["id"], SegmentKind.RULE
        if members.definition.id == STRATEGIC:
            family, kind = "strategic", SegmentKind.BUILT_IN
        return Segment(members.definition.id, members.definition.name, family, kind, measured, members=members)

    @cached_property
    def _lines(self) -> list[str]:
        return list(self.content.lines.names)

    @cached_property
    def _everyone(self) -> Totals:
        """Totals that shares are taken of, as training counted them: counting them here would take O(accounts)."""
        everyone = self._learned.get(EVERYONE)
        if everyone is None:
            return Totals(0, 0, 0)
        measured = everyone.measured
        return Totals(measured["size"], measured["revenue_minor"], measured["value_ahead"]["expected_minor"])

    def members(self, segment: Segment) -> NDArray[np.int32]:
        """Return all account rows of a segment, the most valuable first: as many as there are, but erased ones."""
        if segment.members is None:
            learned = self.content.segments.members_of(segment.column, segment.code)
            return self._visible.visible(learned)
        rows: NDArray[np.int32] = self.membership.ranked_accounts.rows[segment.members.ranks]
        return rows

    def is_member(self, segment: Segment) -> NDArray[np.bool_]:
        """Return bool (A,): which accounts are in a segment."""
        is_in = np.zeros(len(self.content.account_ids), dtype=np.bool_)
        is_in[self.members(segment)] = True
        return is_in

    def accounts(self, segment: Segment, begin: int, end: int) -> tuple[list[int], int]:
        """Return account rows of a segment, the most valuable first, and how many it has in the artifact."""
        if segment.members is None:
            learned = self.members(segment)
            return learned[begin:end].tolist(), len(learned)
        ranks = segment.members.ranks
        return self.membership.ranked_accounts.rows[ranks[begin:end]].tolist(), len(ranks)

    def stable_position(self, segment: Segment, index: int) -> int:
        """Return a position that finds an index of a segment's list again, whichever accounts come or go before it.

        It is the account's rank among all accounts; those that the artifact does not know follow. In the artifact's own
        segments it is the index with erased accounts counted.
        """
        if segment.members is None:
            learned = self.content.segments.members_of(segment.column, segment.code)
            places = np.flatnonzero(~self._visible.are_hidden(learned))
            return int(places[index]) if index < len(places) else len(learned)
        ranks = segment.members.ranks
        return int(ranks[index]) if index < len(ranks) else len(self.content.account_ids) + index - len(ranks)

    def index_at(self, segment: Segment, position: int) -> int:
        """Return the index in a segment's list that a stable position stands for now."""
        if segment.members is None:
            learned = self.content.segments.members_of(segment.column, segment.code)
            return position - int(self._visible.are_hidden(learned[:position]).sum())
        ranks, n = segment.members.ranks, len(self.content.account_ids)
        return int(ranks.searchsorted(position)) if position < n else len(ranks) + position - n

    def series(self, segment: Segment, interval: str) -> Series:
        """Return what the segment's accounts did, period by period."""
        segments = self.content.segments
        if segment.members is None:
            return segments.starts(interval), segments.series(interval)[segment.row]
        return segments.starts(interval), segment.members.series[interval]

    def snapshots(self, segment: Segment) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the day and the figures of each training's snapshot with their currency, the newest last."""
        for snapshot in self._segment_report.get("snapshots", ()):
            if segment.id in snapshot["segments"]:
                yield snapshot["as_of_day"], snapshot["segments"][segment.id] | {"currency": snapshot["currency"]}
        yield self.as_of_day, segment.measured | {"currency": self.currency}

    def moves(self, segment: Segment) -> tuple[int, list[dict[str, Any]]] | None:
        """Return the day of the snapshot before, and the moves since; None where they are not known."""
        moves = self._segment_report.get("moves")
        if not moves or segment.family not in moves["families"]:
            return None
        in_or_out = [move for move in moves["families"][segment.family] if segment.id in (move["from"], move["to"])]
        return moves["since_day"], in_or_out

    def segments_of(self, account_id: str) -> Iterator[tuple[str, str, int | None]]:
        """Yield the segments that an account is in: id, name, and the day since when, where that is known."""
        row = self.content.account_ids.row_of(account_id)
        if row is not None:
            codes, since = self.content.segments.codes[row].tolist(), self.content.segments.since[row].tolist()
            for family, code, day in zip(self.families, codes, since, strict=True):
                if code != NOT_SEGMENTED and family["id"] != "strategic":
                    entry = family["segments"][code]
                    yield entry["id"], entry["name"], day
        for definition in self.membership.segments_of(account_id, row):
            yield definition.id, definition.name, None
