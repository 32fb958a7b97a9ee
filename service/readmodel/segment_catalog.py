"""What is known of segments: those of the artifact in use, and those that people define."""

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
from service.readmodel.errors import UnknownSegment
from service.readmodel.ranked_accounts import SegmentMembers
from service.readmodel.segment_membership import STRATEGIC, SegmentMembership

EVERYONE = "all.accounts"
LEARNED_FAMILIES = ("cluster",)
RULE_FAMILY = {"id": "custom", "name": "Defined by people"}
NOBODY: frozenset[str] = frozenset()

Series = tuple[NDArray[np.int32], NDArray[np.int64]]
"""First days of the periods, int32 (P,), and what was counted in them, int64 (P, 5); see models.artifact.segments."""


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
        return self.members.newcomers if self.members else NOBODY


class SegmentCatalog:
    """The segments of one artifact, and beside them those of rules, measured as they are placed."""

    def __init__(self, content: Content, version: str | None, membership: SegmentMembership) -> None:
        self.content = content
        self.version = version
        self.membership = membership
        self._told: dict[str, Any] = read_segment_report(content.segments)
        self.families: list[dict[str, Any]] = self._told.get("families", [])
        self._learned = {segment.id: segment for segment in self._read()}
        self._described: dict[str, Segment] = {}
        activity = content.activity.day
        self.first_day = int(activity.min()) if len(activity) else 0
        self.report: dict[str, Any] = orjson.loads(content.report)
        parameters = self.report.get("customers", {}).get("parameters", {})
        self.value_terms = {name: parameters.get(name) for name in ("value_days", "annual_rate")}
        self.as_of_day: int = self._told.get("as_of_day", 0)

    def _read(self) -> Iterator[Segment]:
        row = 0
        for column, family in enumerate(self.families):
            kind = SegmentKind.LEARNED if family["id"] in LEARNED_FAMILIES else SegmentKind.BUILT_IN
            for code, of in enumerate(family["segments"]):
                measured = self._told["segments"][of["id"]]
                traits = of.get("traits", ())
                yield Segment(of["id"], of["name"], family["id"], kind, measured, column, code, row, traits=traits)
                row += 1

    @property
    def stamp(self) -> object:
        """Another object after each change of anything that is told of segments."""
        return self.membership.stamp

    def segments(self) -> list[Segment]:
        """Every segment, family by family; those of rules last."""
        ruled = [self._ruled(members) for members in self.membership.segments()]
        instead = {segment.id: segment for segment in ruled}
        learned = [instead.pop(segment.id, segment) for segment in self._learned.values()]
        return [*learned, *(segment for segment in instead.values() if segment.id != STRATEGIC)]

    def find(self, segment_id: str) -> Segment:
        """Return a segment; raises UnknownSegment."""
        members = self.membership.find(segment_id)
        if members is not None:
            return self._ruled(members)
        try:
            return self._learned[segment_id]
        except KeyError:
            raise UnknownSegment(segment_id) from None

    def _ruled(self, members: SegmentMembers) -> Segment:
        """Describe a segment of a rule, unless nobody came or went since it was last described."""
        known = self._described.get(members.definition.id)
        if known is None or known.members is not members:
            known = self._described[members.definition.id] = self.measure(members)
        return known

    def measure(self, members: SegmentMembers) -> Segment:
        """Describe a segment of a rule by its sums."""
        has_margins = self.membership.roll.has_margins
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
        """What shares are taken of, as training counted it: counting it here would take longer with every account."""
        everyone = self._learned.get(EVERYONE)
        if everyone is None:
            return Totals(0, 0, 0)
        of = everyone.measured
        return Totals(of["size"], of["revenue_minor"], of["value_ahead"]["expected_minor"])

    def members(self, segment: Segment) -> NDArray[np.int32]:
        """Return all account rows of a segment, the most valuable first: as many as there are."""
        if segment.members is None:
            return self.content.segments.members_of(segment.column, segment.code)
        rows: NDArray[np.int32] = self.membership.roll.rows[segment.members.ranks]
        return rows

    def codes_of(self, segment: Segment) -> NDArray[np.int16]:
        """Int16 (A,): 0 for those that are in a segment, NOT_SEGMENTED for the others."""
        codes = np.full(len(self.content.account_ids), NOT_SEGMENTED, dtype=np.int16)
        codes[self.members(segment)] = 0
        return codes

    def accounts(self, segment: Segment, begin: int, end: int) -> tuple[list[int], int]:
        """Return some account rows of a segment, the most valuable first; and how many the artifact has of it."""
        if segment.members is None:
            learned = self.content.segments.members_of(segment.column, segment.code)
            return learned[begin:end].tolist(), len(learned)
        ranks = segment.members.ranks
        return self.membership.roll.rows[ranks[begin:end]].tolist(), len(ranks)

    def mark_of(self, segment: Segment, place: int) -> int:
        """Return what a place in a list is found again by, whoever comes or goes before it: a rank on the roll.

        Accounts that are not on it follow. What the artifact has of segments does not change.
        """
        if segment.members is None:
            return place
        ranks = segment.members.ranks
        return int(ranks[place]) if place < len(ranks) else len(self.content.account_ids) + place - len(ranks)

    def place_of(self, segment: Segment, mark: int) -> int:
        """Return where a segment goes on from a mark."""
        if segment.members is None:
            return mark
        ranks, n = segment.members.ranks, len(self.content.account_ids)
        return int(ranks.searchsorted(mark)) if mark < n else len(ranks) + mark - n

    def series(self, segment: Segment, interval: str) -> Series:
        """Return what the segment's accounts did, period by period."""
        segments = self.content.segments
        if segment.members is None:
            return segments.starts(interval), segments.series(interval)[segment.row]
        return segments.starts(interval), segment.members.series[interval]

    def snapshots(self, segment: Segment) -> Iterator[tuple[int, dict[str, Any]]]:
        """Go through what was measured at each training, the newest last: the day, and the figures."""
        for snapshot in self._told.get("snapshots", ()):
            if segment.id in snapshot["segments"]:
                yield snapshot["as_of_day"], snapshot["segments"][segment.id]
        yield self.as_of_day, segment.measured

    def moves(self, segment: Segment) -> tuple[int, list[dict[str, Any]]] | None:
        """Return the day of the snapshot before, and who came and went since; None where that can't be told."""
        moves = self._told.get("moves")
        if not moves or segment.family not in moves["families"]:
            return None
        told = [one for one in moves["families"][segment.family] if segment.id in (one["from"], one["to"])]
        return moves["since_day"], told

    def segments_of(self, account_id: str) -> Iterator[tuple[str, str, int | None]]:
        """Go through the segments that an account is in: id, name, and the day since when, where that is known."""
        row = self.content.account_ids.row_of(account_id)
        if row is not None:
            codes, since = self.content.segments.codes[row].tolist(), self.content.segments.since[row].tolist()
            for family, code, day in zip(self.families, codes, since, strict=True):
                if code != NOT_SEGMENTED and family["id"] != "strategic":
                    of = family["segments"][code]
                    yield of["id"], of["name"], day
        for definition in self.membership.segments_of(account_id, row):
            yield definition.id, definition.name, None
