"""An account's profile: stored facts, and what the current artifact and the live state add to them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

import numpy as np
import orjson

from service.accounts.group import value_of_group
from service.accounts.schemas import AccountOut, Interest, OpenDealOut
from service.accounts.value import segments_of, value_of
from service.readmodel.account_cache import AccountCache
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.deals import OpenDeal, OpenDeals
from service.readmodel.whitespace import RowKind, WhitespaceIndex
from service.sync.loaded_artifact import LoadedArtifact

MAX_INTERESTS: Final = 10
MAX_DEALS: Final = 100
MIN_LINES: Final = 5
"""Order lines of a category: fewer may be chance."""
PRIOR_LINES: Final = 5.0
"""Lines of the average mix that are added before the share is compared: a short history stays near the average."""


Read = Callable[[Sequence[str] | None], AccountOut]


def profile_of(artifact: LoadedArtifact | None, account_id: str, read: Read, today: date) -> dict[str, Any]:
    """Describe an account; raises UnknownAccount.

    read: reads the stored record, given the account and its subsidiaries; None where these are not in memory. Called
          only if the record is not cached. today: in UTC.
    """
    if artifact is None:
        return _with_valid_notes(orjson.loads(read(None).model_dump_json()), today)
    state, segments = artifact.state, artifact.segments

    def encoded() -> bytes:
        return read(state.part(AccountHierarchy).now.group(account_id)).model_dump_json().encode()

    profile = _with_valid_notes(orjson.loads(state.part(AccountCache).get(account_id, encoded)), today)
    usage = profile["attributes"].get("usage")
    for product in profile["owned"] if isinstance(usage, dict) else ():
        product["usage"] = usage.get(product["product_id"])
    if profile["group"]:
        nodes = state.part(AccountHierarchy).now.group_nodes(account_id)
        value_together = value_of_group(segments, nodes[nodes < len(state.accounts)])
        profile["group"]["value"] = value_together and value_together.model_dump(mode="json")
    value, deals = value_of(segments, account_id), state.part(OpenDeals).by_account.get(account_id, ())
    return profile | {
        "open_deals": [describe_deal(artifact, deal) for deal in deals[:MAX_DEALS]],
        "interests": [
            interest.model_dump() for interest in interests_of(artifact.derived(WhitespaceIndex), account_id)
        ],
        "segments": [segment.model_dump(mode="json") for segment in segments_of(segments, account_id)],
        "value": value and value.model_dump(mode="json"),
    }


def _with_valid_notes(profile: dict[str, Any], today: date) -> dict[str, Any]:
    """Leave out notes that are valid no more."""
    ends = today.isoformat()
    return profile | {"notes": [note for note in profile["notes"] if (note["valid_until"] or ends) >= ends]}


def describe_deal(artifact: LoadedArtifact, deal: OpenDeal) -> dict[str, Any]:
    """Describe an open deal, with the names of its products."""
    products = artifact.catalogue.products

    def name_of(product_id: str) -> str | None:
        row = products.row_of(product_id)
        return None if row is None else products.info(row).name

    described = asdict(deal)
    described["lines"] = [asdict(line) | {"product_name": name_of(line.product_id)} for line in deal.lines]
    return OpenDealOut(**described).model_dump(mode="json")


def interests_of(index: WhitespaceIndex, account_id: str) -> Iterator[Interest]:
    """Yield the categories that an account buys most above the average, the furthest above first."""
    dimension = index[RowKind.CATEGORY]
    row = index.segments.content.account_ids.row_of(account_id)
    if row is None or not dimension.names:
        return
    holdings = dimension.demand.holdings
    entries = holdings.entries_of(row)
    group, lines = holdings.group[entries], holdings.n_lines[entries].astype(np.float64)
    total, average = lines.sum(), dimension.average_shares[group]
    share = (lines + PRIOR_LINES * average) / (total + PRIOR_LINES)
    ratio = share / np.maximum(average, 1e-12)
    chosen = [entry for entry in np.argsort(-ratio, kind="stable").tolist() if lines[entry] >= MIN_LINES]
    for entry in chosen[:MAX_INTERESTS]:
        if ratio[entry] > 1:
            yield Interest(
                category=dimension.names[group[entry]],
                order_lines=int(lines[entry]),
                share=round(float(lines[entry] / total), 6),
                average_share=round(float(average[entry]), 6),
                times_average=round(float(lines[entry] / total / average[entry]), 2),
            )
