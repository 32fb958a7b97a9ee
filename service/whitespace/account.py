"""How one account stands to each line or category: from memory."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import NOT_SEGMENTED
from models.artifact.groups import NO_GROUP
from service.accounts.errors import UnknownAccount
from service.base.clock import as_date
from service.base.money import from_minor
from service.readmodel.deals import OpenDeal
from service.readmodel.live_state import LiveState
from service.readmodel.whitespace import WhitespaceDimension, WhitespaceIndex
from service.whitespace.answers import EVERYONE, describe_basis, rows_in_pipeline
from service.whitespace.schemas import LineStatus

MAX_NAMED: Final = 5
RANK: Final = {LineStatus.GAP: 0, LineStatus.PIPELINE: 1, LineStatus.OWNED: 2, LineStatus.NOT_ELIGIBLE: 3}


def describe_account(
    rooms: WhitespaceIndex, wing: WhitespaceDimension, state: LiveState, account_id: str
) -> dict[str, Any]:
    """Describe every row for one account: gaps first, the most expected first. Raises UnknownAccount."""
    row = rooms.book.content.account_ids.row_of(account_id)
    if row is None and not state.knows(account_id):
        raise UnknownAccount(account_id)
    owned = owned_rows(wing, state, account_id, row)
    likely = wing.averages if row is None else wing.room.likely[row].astype(np.float32)
    # What was owned at training and given back since is open again: then the average has to do.
    likely = np.where(np.isnan(likely), wing.averages, likely)
    factor = 1.0 if row is None else float(wing.room.factors[row])
    pipeline = rows_in_pipeline(wing, state, account_id)
    told = [
        describe_row(wing, state, account_id, row, place, likely[place], factor, is_owned, pipeline.get(place, []))
        for place, is_owned in enumerate(owned.tolist())
    ]
    told.sort(key=lambda one: (RANK[one["status"]], -(one["expected_minor"] or 0), one["row"]))
    return describe_basis(rooms, wing) | {"account_id": account_id, "items": told}


def owned_rows(wing: WhitespaceDimension, state: LiveState, account_id: str, row: int | None) -> NDArray[np.bool_]:
    """Bool (G,): what an account owns something of, now."""
    live = state.accounts.get(account_id)
    owned = np.zeros(len(wing.names), dtype=np.bool_)
    if live is not None:
        places = wing.room.groups.of_product[live.owned]
        owned[places[places != NO_GROUP]] = True
    elif row is not None:
        owned = wing.room.groups.is_owned(np.array([row]))[0]
    return owned


def describe_row(
    wing: WhitespaceDimension,
    state: LiveState,
    account_id: str,
    row: int | None,
    place: int,
    likely: float,
    factor: float,
    is_owned: bool,
    deals: list[OpenDeal],
) -> dict[str, Any]:
    """Describe one row for one account."""
    status, reason = LineStatus.GAP, ""
    if is_owned:
        status, reason = LineStatus.OWNED, owned_reason(wing, row, place)
    elif deals:
        status, reason = LineStatus.PIPELINE, pipeline_reason(deals)
    elif account_id in state.objecting:
        status, reason = LineStatus.NOT_ELIGIBLE, "The account objects to marketing."
    elif not wing.room.is_sold[place]:
        status, reason = LineStatus.NOT_ELIGIBLE, "None of its products is sold any more."
    else:
        reason = gap_reason(wing, row, place)
    is_told = status in (LineStatus.GAP, LineStatus.PIPELINE) and np.isfinite(likely)
    return {
        "row": wing.names[place],
        "status": status,
        "propensity": round(float(likely), 6) if is_told else None,
        "expected_minor": round(float(likely) * wing.spend(place) * factor) if is_told else None,
        "reason": reason,
    }


def owned_reason(wing: WhitespaceDimension, row: int | None, place: int) -> str:
    """Say since when, and how much."""
    holdings = wing.room.holdings
    if row is not None:
        at = holdings.of(row)
        found = np.flatnonzero(holdings.group[at] == place)
        if len(found):
            entry = at.start + int(found[0])
            first, last = as_date(int(holdings.first_day[entry])), as_date(int(holdings.last_day[entry]))
            n = int(holdings.n_lines[entry])
            return f"Bought on {n:,} order line{'s' if n != 1 else ''}, first on {first}, last on {last}."
    return "Bought since the artifact was trained."


def pipeline_reason(deals: list[OpenDeal]) -> str:
    """Say which deals are open."""
    told = []
    for deal in deals[:MAX_NAMED]:
        value = "" if deal.value_minor is None else f", {from_minor(deal.value_minor, deal.currency)}"
        told.append(f"deal {deal.deal_id} on {deal.product_id} ({deal.stage}{value})")
    more = f"; and {len(deals) - MAX_NAMED} more" if len(deals) > MAX_NAMED else ""
    return f"Open: {'; '.join(told)}{more}."


def gap_reason(wing: WhitespaceDimension, row: int | None, place: int) -> str:
    """Say what share of the accounts that are like it own something of a row."""
    book = wing.book
    code = NOT_SEGMENTED if row is None else int(book.content.customers.rfm_segment[row])
    if code == NOT_SEGMENTED:
        n, owners, who = (
            len(book.content.account_ids),
            int(wing.cells(book.find(EVERYONE)).owners[0, place]),
            "all accounts",
        )
    else:
        family = next(one for one in book.families if one["id"] == "rfm")
        segment = book.find(family["segments"][code]["id"])
        n, owners = segment.measured["size"], int(wing.cells(segment).owners[0, place])
        who = f"accounts in {segment.name}"
    share = owners / n if n else 0.0
    return f"{share:.0%} of {who} own something of it (n = {n:,})."
