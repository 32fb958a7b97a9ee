"""White space of an account and all its subsidiaries together, by line or category."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import CellTotals
from models.artifact.dimensions import GROUPS, SEGMENTS
from models.artifact.groups import NO_GROUP
from service.accounts.errors import UnknownAccount
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.deals import OpenDeal, OpenDealLine
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.profiles import UNKNOWN_ROW
from service.readmodel.whitespace import WhitespaceDimension, WhitespaceIndex
from service.whitespace.account import MAX_NAMED, RANK, is_known_since, pipeline_reason
from service.whitespace.answers import describe_basis, describe_money, open_deals_by_row
from service.whitespace.schemas import LineStatus

MAX_LISTED: Final = 1_000
"""Accounts of a group that an answer lists."""
ACCOUNTS_PER_BATCH: Final = 1_000


@dataclass
class GroupCounts:
    """What the accounts of a group have, and may buy, of G rows.

    owners:  int64 (G,). owner_ids: by row, the first accounts that own something of it.
    n_open:  int64 (G,), accounts that own nothing of it and may be offered some.
    open:    what those are expected to buy: ``buyers``, ``expected_minor`` and ``variance`` of the one segment.
    deals:   by row, the open deals of accounts that own nothing of it.
    n_objecting: accounts that object to marketing.
    """

    owners: NDArray[np.int64]
    n_open: NDArray[np.int64]
    open: CellTotals
    owner_ids: dict[int, list[str]] = field(default_factory=dict)
    deals: dict[int, list[tuple[OpenDeal, OpenDealLine]]] = field(default_factory=dict)
    n_objecting: int = 0

    @classmethod
    def of_rows(cls, n_rows: int) -> "GroupCounts":
        """Return the counts of nobody."""
        zeros = np.zeros(n_rows, dtype=np.int64)
        return cls(zeros, zeros.copy(), CellTotals.empty({SEGMENTS: 1, GROUPS: n_rows}))


def describe_group(
    index: WhitespaceIndex, dimension: WhitespaceDimension, state: LiveState, account_id: str
) -> dict[str, Any]:
    """Describe every row for an account and its subsidiaries: gaps first, the most expected first.

    Raises UnknownAccount if it is not known and has no subsidiaries.
    """
    hierarchy = state.part(AccountHierarchy).now
    members = hierarchy.group(account_id)
    rows = _rows_of(index, members)
    if rows[0] == UNKNOWN_ROW and not is_known_since(state, account_id) and hierarchy.parent_of(account_id) is None:
        # Nobody has described it: its subsidiaries alone name it as their parent.
        members, rows = members[1:], rows[1:]
    if not members:
        raise UnknownAccount(account_id)
    counts = count_group(dimension, state, members, rows)
    items = [_describe_row(dimension, counts, position, len(members)) for position in range(len(dimension.names))]
    items.sort(key=lambda item: (RANK[item["status"]], -(item["expected_minor"] or 0), item["row"]))
    return describe_basis(index, dimension) | {
        "scope": "group",
        "account_id": account_id,
        "items": items,
        "group": {
            "accounts": len(members),
            "account_ids": members[:MAX_LISTED],
            "is_complete": hierarchy.is_complete,
            "objecting_accounts": counts.n_objecting,
            "revenue_minor": _revenue(dimension, rows),
            **_describe_totals(dimension, counts),
        },
    }


def count_group(
    dimension: WhitespaceDimension, state: LiveState, members: Sequence[str], rows: NDArray[np.int64]
) -> GroupCounts:
    """Count what accounts own and may buy. rows: int64 (n,), theirs in the artifact, or UNKNOWN_ROW."""
    counts = GroupCounts.of_rows(len(dimension.names))
    for begin in range(0, len(members), ACCOUNTS_PER_BATCH):
        batch = slice(begin, begin + ACCOUNTS_PER_BATCH)
        _count_batch(dimension, state, counts, members[batch], rows[batch])
    return counts


def _count_batch(
    dimension: WhitespaceDimension,
    state: LiveState,
    counts: GroupCounts,
    members: Sequence[str],
    rows: NDArray[np.int64],
) -> None:
    is_owned = _ownership(dimension, state, members, rows)
    objecting = state.part(Objections).accounts
    is_objecting = np.array([each in objecting for each in members], dtype=np.bool_)
    is_open = ~is_owned & dimension.demand.is_sold & ~is_objecting[:, None]
    for place, account_id in enumerate(members):
        for position, deals in open_deals_by_row(dimension, state, account_id).items():
            if not is_owned[place, position]:
                counts.deals.setdefault(position, []).extend(deals)
                is_open[place, position] = True
    for place, position in _first_owners(is_owned, counts.owners):
        counts.owner_ids.setdefault(position, []).append(members[place])
    counts.owners += is_owned.sum(axis=0)
    counts.n_open += is_open.sum(axis=0)
    counts.n_objecting += int(is_objecting.sum())
    _add_expected(dimension, counts.open, rows, is_open)


def _first_owners(is_owned: NDArray[np.bool_], before: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield accounts by their place, each with a row of which it is one of the first MAX_NAMED owners."""
    is_first = is_owned & (before + is_owned.cumsum(axis=0) <= MAX_NAMED)
    yield from zip(*(places.tolist() for places in is_first.nonzero()), strict=True)


def _add_expected(
    dimension: WhitespaceDimension, totals: CellTotals, rows: NDArray[np.int64], is_open: NDArray[np.bool_]
) -> None:
    """Add what accounts are expected to buy, as the map of all accounts does; of new ones the average is expected."""
    demand, is_known = dimension.demand, rows != UNKNOWN_ROW
    likely = np.tile(dimension.averages, (len(rows), 1))
    likely[is_known] = demand.likely[rows[is_known]]
    # What was owned at training and given back since is open again: then the average has to do.
    likely = np.nan_to_num(np.where(np.isnan(likely), dimension.averages, likely)) * is_open
    factors = np.ones((len(rows), 1), dtype=np.float64)
    factors[is_known, 0] = demand.factors[rows[is_known]]
    mean, spread = demand.newcomer_spend
    expected = likely * mean * factors
    totals.buyers[0] += likely.sum(axis=0, dtype=np.float64)
    totals.expected_minor[0] += expected.sum(axis=0)
    totals.variance[0] += (likely * (mean**2 + spread**2) * factors**2 - expected**2).sum(axis=0)


def _ownership(
    dimension: WhitespaceDimension, state: LiveState, members: Sequence[str], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return bool (n, G): of which rows each account owns something now."""
    groups, by_account = dimension.demand.groups, state.part(Ownership).by_account
    is_owned = np.zeros((len(members), len(dimension.names)), dtype=np.bool_)
    is_known = rows != UNKNOWN_ROW
    is_owned[is_known] = groups.is_owned(rows[is_known])
    for place, account_id in enumerate(members):
        if (live := by_account.get(account_id)) is not None:
            positions = groups.of_product[live.owned]
            is_owned[place] = False
            is_owned[place, positions[positions != NO_GROUP]] = True
    return is_owned


def _rows_of(index: WhitespaceIndex, members: Sequence[str]) -> NDArray[np.int64]:
    row_of = index.segments.content.account_ids.row_of
    rows = [row_of(account_id) for account_id in members]
    return np.array([UNKNOWN_ROW if row is None else row for row in rows], dtype=np.int64)


def _revenue(dimension: WhitespaceDimension, rows: NDArray[np.int64]) -> int:
    known = rows[rows != UNKNOWN_ROW].astype(np.int32)
    return int(dimension.demand.holdings.among(known).recent_minor.sum())


def _describe_row(dimension: WhitespaceDimension, counts: GroupCounts, position: int, n: int) -> dict[str, Any]:
    owners, deals = int(counts.owners[position]), counts.deals.get(position, [])
    is_sold = bool(dimension.demand.is_sold[position])
    if owners:
        named = counts.owner_ids[position]
        more = f" and {owners - len(named)} more" if owners > len(named) else ""
        status, reason = LineStatus.OWNED, f"Owned by {owners:,} of {n:,} accounts: {', '.join(named)}{more}."
    elif deals:
        status, reason = LineStatus.PIPELINE, pipeline_reason(deals)
    elif not is_sold or not counts.n_open[position]:
        status = LineStatus.NOT_ELIGIBLE
        reason = "All accounts object to marketing." if is_sold else "None of its products is sold any more."
    else:
        status, reason = LineStatus.GAP, f"None of {n:,} accounts owns something of it."
    has_estimate = dimension.has_propensities and bool(counts.n_open[position])
    expected = round(float(counts.open.expected_minor[0, position])) if has_estimate else None
    return {
        "row": dimension.names[position],
        "status": status,
        "propensity": None,
        "expected_minor": None if owners else expected,
        "expected_elsewhere_minor": expected if owners else None,
        "expected_buyers": round(float(counts.open.buyers[0, position]), 4) if has_estimate else None,
        "owners": owners,
        "reason": reason,
    }


def _describe_totals(dimension: WhitespaceDimension, counts: GroupCounts) -> dict[str, Any]:
    """Describe the sums over rows that nobody of the group owns anything of, and over the others."""
    totals: dict[str, Any] = {}
    for name, is_summed in (("expected_revenue", counts.owners == 0), ("expected_elsewhere", counts.owners > 0)):
        rows = CellTotals(*(getattr(counts.open, each)[:, is_summed] for each in CellTotals.__dataclass_fields__))
        n = int(counts.n_open[is_summed].sum())
        totals[name] = describe_money(dimension, rows, slice(None), n) if dimension.has_propensities else None
    return totals
