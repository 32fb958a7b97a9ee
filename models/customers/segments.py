"""Every segment measured as of one moment, and how accounts moved since the snapshot before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Activity, Artifact, Customers, IdIndex, Segments
from models.artifact.customers import NOT_SEGMENTED
from models.artifact.measures import Measured, measure_segments
from models.artifact.segments import INTERVALS, Family, built_in_families, read_segment_report
from models.artifact.series import Calendar, interval_starts
from models.customers.clusters import Clusters

MAX_SNAPSHOTS = 400
LEARNED_ANEW = ("cluster",)
"""Its segments mean something else in each training, so that nobody moves between them or stays."""
KEPT_OF_A_SNAPSHOT = (
    "size", "share_of_accounts", "revenue_minor", "margin_minor", "orders", "average_order_value_minor", "retention",
    "churn_risk", "value_ahead", "share_of_revenue",
)  # fmt: skip


def learn_segments(
    facts: Measured,
    is_strategic: NDArray[np.bool_],
    clusters: Clusters,
    account_ids: IdIndex,
    before: Artifact | None,
) -> Segments:
    """Place every account, measure every segment, and go on with the history that the artifact in use has kept.

    before: the artifact in use.
    """
    families = built_in_families(clusters.names)
    codes = np.column_stack(_codes(facts.customers, is_strategic, clusters.code)).astype(np.int16)
    sizes = [len(family.names) for family in families]
    measured = [of for column, size in enumerate(sizes) for of in measure_segments(facts, codes[:, column], size)]
    ids = [segment_id for family in families for segment_id in family.segment_ids]
    described = [_describe_family(family, clusters) for family in families]
    book = {"as_of_day": facts.as_of_day, "families": described, "segments": dict(zip(ids, measured, strict=True))}
    earlier = _earlier(account_ids, before, facts.as_of_day)
    book |= _history(facts.as_of_day, families, codes, earlier)
    first_day = int(facts.activity.day.min()) if len(facts.activity.day) else facts.as_of_day - 1
    starts = {interval: interval_starts(first_day, facts.as_of_day, interval) for interval in INTERVALS}
    series = _series(facts.activity, codes, sizes, starts)
    return Segments(
        codes=codes,
        since=_since(facts.as_of_day, families, codes, earlier),
        members=_members(codes, facts.customers),
        report=np.frombuffer(json.dumps(book, sort_keys=True).encode(), dtype=np.uint8),
        **{f"starts_{interval}": starts[interval] for interval in INTERVALS},  # type: ignore[arg-type]
        **{f"series_{interval}": series[interval] for interval in INTERVALS},  # type: ignore[arg-type]
    )


def _series(
    activity: Activity, codes: NDArray[np.int16], sizes: Sequence[int], starts: Mapping[str, NDArray[np.int32]]
) -> dict[str, NDArray[np.int64]]:
    """By interval, int64 (S, P, 5), see ``Segments``: the segments of all families, each family of so many."""
    calendar = Calendar(activity, starts)
    counted = [calendar.count(codes[:, column], n) for column, n in enumerate(sizes)]
    return {interval: np.concatenate([of[interval] for of in counted]) for interval in starts}


def _codes(
    customers: Customers, is_strategic: NDArray[np.bool_], cluster: NDArray[np.int16]
) -> list[NDArray[np.int16]]:
    """The columns of ``Segments.codes``, in the order of the families."""
    everyone = np.zeros(len(customers), dtype=np.int16)
    strategic = np.where(is_strategic, 0, NOT_SEGMENTED).astype(np.int16)
    columns = (customers.rfm_segment, customers.revenue_tier, customers.value_tier, customers.trend)
    return [everyone, *(column.astype(np.int16) for column in columns), strategic, cluster]


def _members(codes: NDArray[np.int16], customers: Customers) -> NDArray[np.int32]:
    """Int32 (F, A): rows by segment; within one by value ahead, then by what was spent, the most first."""
    ahead = np.nan_to_num(customers.value[:, 0], nan=-np.inf)
    members = np.empty(codes.T.shape, dtype=np.int32)
    best_first = np.lexsort((-customers.spend_minor, -ahead))
    for column in range(codes.shape[1]):
        members[column] = best_first[np.argsort(codes[best_first, column], kind="stable")]
    return members


def _describe_family(family: Family, clusters: Clusters) -> dict[str, Any]:
    names = clusters.names if family.id == "cluster" else family.names
    if family.id in ("revenue-tier", "value-tier"):
        names = tuple(f"{family.name}: {name}" for name in names)
    if family.id in ("all", "strategic"):
        names = ("All accounts" if family.id == "all" else "Strategic accounts",)
    segments: list[dict[str, Any]] = [
        {"id": of, "name": name} for of, name in zip(family.segment_ids, names, strict=True)
    ]
    if family.id == "cluster":
        for segment, traits in zip(segments, clusters.traits, strict=True):
            segment["traits"] = [asdict(trait) for trait in traits]
    return {"id": family.id, "name": family.name, "segments": segments}


@dataclass(frozen=True)
class Earlier:
    """The snapshot before, and where it has each of today's accounts. was: bool (A,). place: int64 (A,), its rows."""

    segments: Segments
    book: dict[str, Any]
    was: NDArray[np.bool_]
    place: NDArray[np.int64]

    def codes_of(self, family_id: str) -> NDArray[np.int16]:
        """Int16 (A,): where today's accounts were within a family then, NOT_SEGMENTED for those that were not there."""
        codes = np.full(len(self.was), NOT_SEGMENTED, dtype=np.int16)
        codes[self.was] = self.segments.codes[self.place[self.was], self.column(family_id)]
        return codes

    def column(self, family_id: str) -> int:
        """Where a family stands."""
        return [family["id"] for family in self.book["families"]].index(family_id)


def _earlier(now: IdIndex, before: Artifact | None, as_of_day: int) -> Earlier | None:
    """Find the accounts in the artifact before; None where it has no snapshot, or one of a later day.

    Hashes of 64 bits stand for the identifiers: two accounts of a million share one once in ten million artifacts.
    """
    book = read_segment_report(before.content.segments) if before else {}
    if before is None or book.get("as_of_day", as_of_day + 1) > as_of_day:
        return None
    hashes = before.content.account_ids.hashes
    place = np.minimum(hashes.searchsorted(now.hashes), max(len(hashes) - 1, 0)).astype(np.int64)
    was = hashes[place] == now.hashes if len(hashes) else np.zeros(len(now), dtype=np.bool_)
    return Earlier(before.content.segments, book, was, place)


def _history(
    as_of_day: int, families: Sequence[Family], codes: NDArray[np.int16], earlier: Earlier | None
) -> dict[str, Any]:
    """The snapshots before this one, and how accounts moved since the last of an earlier day.

    A second training as of the same day takes the place of the first: it says the same of the time before.
    """
    if earlier is None:
        return {"snapshots": [], "moves": None}
    book = earlier.book
    if book["as_of_day"] == as_of_day:
        return {"snapshots": book["snapshots"], "moves": book["moves"]}
    snapshot = {
        "as_of_day": book["as_of_day"],
        "segments": {of: {name: one[name] for name in KEPT_OF_A_SNAPSHOT} for of, one in book["segments"].items()},
    }
    moves = {
        family.id: _moves(family, codes[:, column], earlier.codes_of(family.id))
        for column, family in enumerate(families)
        if family.id not in LEARNED_ANEW
    }
    since = {"since_day": book["as_of_day"], "families": moves}
    return {"snapshots": [*book["snapshots"], snapshot][-MAX_SNAPSHOTS:], "moves": since}


def _since(
    as_of_day: int, families: Sequence[Family], codes: NDArray[np.int16], earlier: Earlier | None
) -> NDArray[np.int32]:
    """Int32 (A, F): an account that is where it was has been there since then."""
    since = np.full(codes.shape, as_of_day, dtype=np.int32)
    for column, family in enumerate(families if earlier else ()):
        assert earlier is not None  # noqa: S101 - or there would be no families
        stayed = earlier.was & (earlier.codes_of(family.id) == codes[:, column])
        if family.id not in LEARNED_ANEW:
            since[stayed, column] = earlier.segments.since[earlier.place[stayed], earlier.column(family.id)]
    return since


def _moves(family: Family, codes: NDArray[np.int16], earlier: NDArray[np.int16]) -> list[dict[str, Any]]:
    """Count accounts by where they were and where they are; null is outside, as a new account was."""
    n = len(family.names) + 1
    counts = np.bincount((earlier.astype(np.int64) + 1) * n + codes + 1, minlength=n * n).reshape(n, n)
    ids = [None, *family.segment_ids]
    return [
        {"from": ids[begin], "to": ids[end], "accounts": int(counts[begin, end])}
        for begin, end in np.argwhere(counts).tolist()
        if begin or end
    ]
