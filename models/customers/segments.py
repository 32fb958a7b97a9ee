"""Place accounts in segments, measure every segment, and count moves since the snapshot before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import find_sorted
from models.artifact import Activity, Artifact, Customers, IdIndex, Segments
from models.artifact.customers import NOT_SEGMENTED
from models.artifact.measures import Measured, measure_segments
from models.artifact.segments import INTERVALS, Family, built_in_families, read_segment_report
from models.artifact.series import Calendar, interval_starts
from models.customers.clusters import Clusters

MAX_SNAPSHOTS = 400
LEARNED_ANEW = ("cluster",)
"""Its segments are new in each training, so that no account moves between them or stays."""
KEPT_OF_A_SNAPSHOT = (
    "size", "share_of_accounts", "revenue_minor", "margin_minor", "orders", "unconverted_orders",
    "average_order_value_minor", "retention",
    "churn_risk", "value_ahead", "share_of_revenue",
)  # fmt: skip


def learn_segments(
    facts: Measured,
    is_strategic: NDArray[np.bool_],
    clusters: Clusters,
    account_ids: IdIndex,
    before: Artifact | None,
    currency: str | None = None,
    timezone: str = "UTC",
) -> Segments:
    """Place every account, measure every segment, and continue the history kept by the artifact in use.

    before: the artifact in use. currency: of all money, None where it is not known. timezone: of days.
    """
    families = built_in_families(clusters.names)
    codes = np.column_stack(_codes(facts.customers, is_strategic, clusters.code)).astype(np.int16)
    sizes = [len(family.names) for family in families]
    measured = [
        measures for column, size in enumerate(sizes) for measures in measure_segments(facts, codes[:, column], size)
    ]
    ids = [segment_id for family in families for segment_id in family.segment_ids]
    described = [_describe_family(family, clusters) for family in families]
    report = {
        "as_of_day": facts.as_of_day,
        "currency": currency,
        "families": described,
        "segments": dict(zip(ids, measured, strict=True)),
    }
    earlier = _earlier(account_ids, before, facts.as_of_day, timezone)
    report |= _history(facts.as_of_day, families, codes, earlier)
    first_day = int(facts.activity.day.min()) if len(facts.activity.day) else facts.as_of_day - 1
    starts = {interval: interval_starts(first_day, facts.as_of_day, interval) for interval in INTERVALS}
    series = _series(facts.activity, codes, sizes, starts)
    return Segments(
        codes=codes,
        since=_since(facts.as_of_day, families, codes, earlier),
        members=_members(codes, facts.customers),
        report=np.frombuffer(json.dumps(report, sort_keys=True).encode(), dtype=np.uint8),
        **{f"starts_{interval}": starts[interval] for interval in INTERVALS},  # type: ignore[arg-type]
        **{f"series_{interval}": series[interval] for interval in INTERVALS},  # type: ignore[arg-type]
    )


def _series(
    activity: Activity, codes: NDArray[np.int16], sizes: Sequence[int], starts: Mapping[str, NDArray[np.int32]]
) -> dict[str, NDArray[np.int64]]:
    """By interval, int64 (S, P, len(COUNTS)), see ``Segments``. sizes: the number of segments of each family."""
    calendar = Calendar(activity, starts)
    counts = [calendar.count(codes[:, column], n) for column, n in enumerate(sizes)]
    return {interval: np.concatenate([family[interval] for family in counts]) for interval in starts}


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
        {"id": segment_id, "name": name} for segment_id, name in zip(family.segment_ids, names, strict=True)
    ]
    if family.id == "cluster":
        for segment, traits in zip(segments, clusters.traits, strict=True):
            segment["traits"] = [asdict(trait) for trait in traits]
    return {"id": family.id, "name": family.name, "segments": segments}


@dataclass(frozen=True)
class Earlier:
    """The snapshot before, and its rows of today's accounts.

    report: of its segments. is_known: bool (A,), whether it has the account. rows: int64 (A,), undefined otherwise.
    """

    segments: Segments
    report: dict[str, Any]
    is_known: NDArray[np.bool_]
    rows: NDArray[np.int64]

    def codes_of(self, family_id: str) -> NDArray[np.int16]:
        """Int16 (A,): the segments of today's accounts within a family then, NOT_SEGMENTED for unknown ones."""
        codes = np.full(len(self.is_known), NOT_SEGMENTED, dtype=np.int16)
        codes[self.is_known] = self.segments.codes_in(family_id, self.rows[self.is_known])
        return codes


def _earlier(now: IdIndex, before: Artifact | None, as_of_day: int, timezone: str) -> Earlier | None:
    """Find the accounts in the artifact before; None where it has no snapshot, or one of a later day.

    In another time zone the same history may end a day earlier: that day counts as the same.

    Hashes of 64 bits stand for the identifiers: two accounts of a million share one once in ten million artifacts.
    """
    report = read_segment_report(before.content.segments) if before else {}
    if before is None or "as_of_day" not in report:
        return None
    days_ahead = 0 if before.manifest.timezone == timezone else 1
    if report["as_of_day"] > as_of_day + days_ahead:
        return None
    hashes = before.content.account_ids.hashes
    rows = find_sorted(hashes, now.hashes)
    return Earlier(before.content.segments, report, rows >= 0, rows)


def _history(
    as_of_day: int, families: Sequence[Family], codes: NDArray[np.int16], earlier: Earlier | None
) -> dict[str, Any]:
    """The snapshots before this one, and how accounts moved since the last of an earlier day.

    A second training as of the same day replaces the first, and keeps the history before it.
    """
    if earlier is None:
        return {"snapshots": [], "moves": None}
    report = earlier.report
    if report["as_of_day"] >= as_of_day:
        return {"snapshots": report["snapshots"], "moves": report["moves"]}
    snapshot = {
        "as_of_day": report["as_of_day"],
        "currency": report["currency"],
        "segments": {
            segment_id: {name: measures[name] for name in KEPT_OF_A_SNAPSHOT}
            for segment_id, measures in report["segments"].items()
        },
    }
    moves = {
        family.id: _moves(family, codes[:, column], earlier.codes_of(family.id))
        for column, family in enumerate(families)
        if family.id not in LEARNED_ANEW
    }
    since = {"since_day": report["as_of_day"], "families": moves}
    return {"snapshots": [*report["snapshots"], snapshot][-MAX_SNAPSHOTS:], "moves": since}


def _since(
    as_of_day: int, families: Sequence[Family], codes: NDArray[np.int16], earlier: Earlier | None
) -> NDArray[np.int32]:
    """Int32 (A, F): the first day of the run of snapshots that have the account in its segment."""
    since = np.full(codes.shape, as_of_day, dtype=np.int32)
    if earlier is None:
        return since
    for column, family in enumerate(families):
        column_then = earlier.segments.column_of(family.id)
        if column_then is not None and family.id not in LEARNED_ANEW:
            has_stayed = earlier.is_known & (earlier.codes_of(family.id) == codes[:, column])
            before = earlier.segments.since[earlier.rows[has_stayed], column_then]
            since[has_stayed, column] = np.minimum(before, as_of_day)
    return since


def _moves(family: Family, codes: NDArray[np.int16], earlier: NDArray[np.int16]) -> list[dict[str, Any]]:
    """Count accounts by their segment before and now; null is outside of all, as for a new account."""
    n = len(family.names) + 1
    counts = np.bincount((earlier.astype(np.int64) + 1) * n + codes + 1, minlength=n * n).reshape(n, n)
    ids = [None, *family.segment_ids]
    return [
        {"from": ids[begin], "to": ids[end], "accounts": int(counts[begin, end])}
        for begin, end in np.argwhere(counts).tolist()
        if begin or end
    ]
