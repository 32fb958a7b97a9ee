"""White space of one account, by line or category."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import NOT_SEGMENTED
from models.artifact.groups import NO_GROUP
from service.accounts.errors import UnknownAccount
from service.base.clock import as_date
from service.base.money import from_minor
from service.readmodel.deals import Declines, OpenDeal, OpenDealLine, OpenDeals
from service.readmodel.listed_policies import ListedPolicies
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.segment_catalog import EVERYONE
from service.readmodel.segment_membership import SegmentMembership
from service.readmodel.whitespace import WhitespaceDimension, WhitespaceIndex
from service.whitespace.answers import describe_basis, open_deals_by_row
from service.whitespace.schemas import LineStatus
from service.whitespace.withheld import withheld_rows

MAX_NAMED: Final = 5
RANK: Final = {LineStatus.GAP: 0, LineStatus.PIPELINE: 1, LineStatus.OWNED: 2, LineStatus.NOT_ELIGIBLE: 3}


def describe_account(
    index: WhitespaceIndex,
    dimension: WhitespaceDimension,
    state: LiveState,
    policies: ListedPolicies,
    account_id: str,
) -> dict[str, Any]:
    """Describe every row for one account: gaps first, the most expected first. Raises UnknownAccount."""
    row = index.segments.content.account_ids.row_of(account_id)
    if row is None and not is_known_since(state, account_id):
        raise UnknownAccount(account_id)
    owned = owned_rows(dimension, state, account_id, row)
    likely = dimension.averages if row is None else dimension.demand.likely[row].astype(np.float32)
    # What was owned at training and given back since is open again: then the average has to do.
    likely = np.where(np.isnan(likely), dimension.averages, likely)
    factor = 1.0 if row is None else float(dimension.demand.factors[row])
    pipeline = open_deals_by_row(dimension, state, account_id)
    ineligible = ineligible_rows(dimension, state, policies, account_id, row)
    described = [
        describe_row(
            dimension,
            ineligible,
            row,
            position,
            likely[position],
            factor,
            is_owned,
            pipeline.get(position, []),
        )
        for position, is_owned in enumerate(owned.tolist())
    ]
    described.sort(key=lambda item: (RANK[item["status"]], -(item["expected_minor"] or 0), item["row"]))
    return describe_basis(index, dimension) | {
        "scope": "account",
        "account_id": account_id,
        "items": described,
        "group": None,
    }


def is_known_since(state: LiveState, account_id: str) -> bool:
    """Tell whether anything is known of an account since the artifact."""
    return (
        account_id in state.part(Ownership).by_account
        or account_id in state.part(Objections).accounts
        or account_id in state.part(OpenDeals).by_account
        or account_id in state.part(Declines).by_account
        or account_id in state.part(SegmentMembership).newcomers
    )


def owned_rows(dimension: WhitespaceDimension, state: LiveState, account_id: str, row: int | None) -> NDArray[np.bool_]:
    """Return bool (G,): the rows that an account owns something of now."""
    live = state.part(Ownership).by_account.get(account_id)
    owned = np.zeros(len(dimension.names), dtype=np.bool_)
    if live is not None:
        positions = dimension.demand.groups.of_product[live.owned]
        owned[positions[positions != NO_GROUP]] = True
    elif row is not None:
        owned = dimension.demand.groups.is_owned(np.array([row]))[0]
    return owned


def describe_row(
    dimension: WhitespaceDimension,
    ineligible: Mapping[int, str],
    row: int | None,
    position: int,
    likely: float,
    factor: float,
    is_owned: bool,
    deals: list[tuple[OpenDeal, OpenDealLine]],
) -> dict[str, Any]:
    """Describe one row for one account. ineligible: the reason, by row, why nothing of it can be offered."""
    status, reason = LineStatus.GAP, ""
    if is_owned:
        status, reason = LineStatus.OWNED, owned_reason(dimension, row, position)
    elif deals:
        status, reason = LineStatus.PIPELINE, pipeline_reason(deals)
    elif position in ineligible:
        status, reason = LineStatus.NOT_ELIGIBLE, ineligible[position]
    else:
        reason = gap_reason(dimension, row, position)
    has_estimate = status in (LineStatus.GAP, LineStatus.PIPELINE) and np.isfinite(likely)
    propensity = round(float(likely), 6) if has_estimate else None
    return {
        "row": dimension.names[position],
        "status": status,
        "propensity": propensity,
        "expected_minor": round(float(likely) * dimension.newcomer_spend(position) * factor) if has_estimate else None,
        "expected_elsewhere_minor": None,
        "expected_buyers": propensity,
        "owners": int(is_owned),
        "reason": reason,
    }


def ineligible_rows(
    dimension: WhitespaceDimension, state: LiveState, policies: ListedPolicies, account_id: str, row: int | None
) -> dict[int, str]:
    """Return why nothing can be offered of a row to an account, for each row of which this is so."""
    if account_id in state.part(Objections).accounts:
        return dict.fromkeys(range(len(dimension.names)), "The account objects to marketing.")
    reasons = withheld_rows(dimension, state, policies, account_id, row) if policies else {}
    unsold = np.flatnonzero(~dimension.demand.is_sold).tolist()
    return reasons | dict.fromkeys(unsold, "None of its products is sold any more.")


def owned_reason(dimension: WhitespaceDimension, row: int | None, position: int) -> str:
    """Say since when, and how much."""
    holdings = dimension.demand.holdings
    if row is not None:
        entries = holdings.entries_of(row)
        matching = np.flatnonzero(holdings.group[entries] == position)
        if len(matching):
            entry = entries.start + int(matching[0])
            first, last = as_date(int(holdings.first_day[entry])), as_date(int(holdings.last_day[entry]))
            n = int(holdings.n_lines[entry])
            return f"Bought on {n:,} order line{'s' if n != 1 else ''}, first on {first}, last on {last}."
    return "Bought since the artifact was trained."


def pipeline_reason(deals: list[tuple[OpenDeal, OpenDealLine]]) -> str:
    """Say which deals are open, on which products, and at what value: the product's, if it is known."""
    described = []
    for deal, line in deals[:MAX_NAMED]:
        value_minor = deal.value_minor if len(deal.lines) == 1 else line.value_minor
        value = "" if value_minor is None else f", {from_minor(value_minor, deal.currency)}"
        described.append(f"deal {deal.deal_id} on {line.product_id} ({deal.stage}{value})")
    more = f"; and {len(deals) - MAX_NAMED} more" if len(deals) > MAX_NAMED else ""
    return f"Open: {'; '.join(described)}{more}."


def gap_reason(dimension: WhitespaceDimension, row: int | None, position: int) -> str:
    """Say what share of the accounts that are like it own something of a row."""
    segments = dimension.segments
    code = NOT_SEGMENTED if row is None else int(segments.content.customers.rfm_segment[row])
    if code == NOT_SEGMENTED:
        n, who = len(segments.content.account_ids), "all accounts"
        owners = int(dimension.cells_of(segments.find(EVERYONE)).owners[0, position])
    else:
        family = next(entry for entry in segments.families if entry["id"] == "rfm")
        segment = segments.find(family["segments"][code]["id"])
        n, owners = segment.measured["size"], int(dimension.cells_of(segment).owners[0, position])
        who = f"accounts in {segment.name}"
    share = owners / n if n else 0.0
    return f"{share:.0%} of {who} own something of it (n = {n:,})."
