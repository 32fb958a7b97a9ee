"""The whole of what is known of an account: stored facts, and what the artifact in use and the live state say."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import orjson

from service.accounts.schemas import AccountOut, Interest, OpenDealOut
from service.accounts.value import segments_of, value_of
from service.readmodel.whitespace import RowKind, WhitespaceIndex
from service.sync.artifact_holder import LoadedArtifact

MAX_INTERESTS: Final = 10
MAX_DEALS: Final = 100
MIN_LINES: Final = 5
"""Order lines of a category: fewer may be chance."""
PRIOR_LINES: Final = 5.0
"""So many lines of the average mix are added before the share is compared, so that little history says little."""


def profile_of(live: LoadedArtifact | None, account_id: str, read: Callable[[], AccountOut]) -> dict[str, Any]:
    """Describe an account; raises UnknownAccount.

    read: reads what is stored of it. It is asked only where memory does not hold that: after a change, and at first.
    """

    def encoded() -> bytes:
        return read().model_dump_json().encode()

    told: dict[str, Any] = orjson.loads(live.state.stored.get(account_id, encoded) if live else encoded())
    if live is None:
        return told
    usage = told["attributes"].get("usage")
    for one in told["owned"] if isinstance(usage, dict) else ():
        one["usage"] = usage.get(one["product_id"])
    value, deals = value_of(live.book, account_id), live.state.pipeline.get(account_id, ())
    return told | {
        "open_deals": [OpenDealOut(**asdict(deal)).model_dump(mode="json") for deal in deals[:MAX_DEALS]],
        "interests": [one.model_dump() for one in interests_of(live.rooms, account_id)],
        "segments": [one.model_dump(mode="json") for one in segments_of(live.book, account_id)],
        "value": value and value.model_dump(mode="json"),
    }


def interests_of(rooms: WhitespaceIndex, account_id: str) -> Iterator[Interest]:
    """Yield the categories that an account buys most above the average, the furthest above first."""
    wing = rooms[RowKind.CATEGORY]
    row = rooms.book.content.account_ids.row_of(account_id)
    if row is None or not wing.names:
        return
    holdings = wing.room.holdings
    at = holdings.of(row)
    group, lines = holdings.group[at], holdings.n_lines[at].astype(np.float64)
    total, average = lines.sum(), wing.average_shares[group]
    share = (lines + PRIOR_LINES * average) / (total + PRIOR_LINES)
    ratio = share / np.maximum(average, 1e-12)
    chosen = [place for place in np.argsort(-ratio, kind="stable").tolist() if lines[place] >= MIN_LINES]
    for place in chosen[:MAX_INTERESTS]:
        if ratio[place] > 1:
            yield Interest(
                category=wing.names[group[place]],
                order_lines=int(lines[place]),
                share=round(float(lines[place] / total), 6),
                average_share=round(float(average[place]), 6),
                times_average=round(float(lines[place] / total / average[place]), 2),
            )
