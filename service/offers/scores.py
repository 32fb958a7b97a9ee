"""Every account's list, by the functions that answer requests: what a CRM loads overnight."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.base.arbitration_options import DEFAULT_OPTIONS, ArbitrationOptions
from service.offers.decide import Ranked, rank_offers
from service.offers.gathering import gather
from service.offers.propensity import propensities
from service.offers.reasons import Source
from service.offers.request import OfferRequest
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.segment_catalog import SegmentCatalog

ACCOUNTS_AT_ONCE: Final = 1_000
SOURCES: Final = tuple(Source)
Account = TypeVar("Account")


class ScoredLists(NamedTuple):
    """The lists of some accounts, arrays of one length: those of each account together, best first.

    account: int64, a place among the accounts. rank: int32, from 1. product: int32, a product row. score: float64.
    source: int8, a position in SOURCES. propensity: float32, NaN where it is not known. See ``propensities``.
    """

    account: NDArray[np.int64]
    rank: NDArray[np.int32]
    product: NDArray[np.int32]
    score: NDArray[np.float64]
    source: NDArray[np.int8]
    propensity: NDArray[np.float32]


def known_accounts(state: LiveState) -> list[str]:
    """Return every account of the artifact, and those that ordered since it was trained."""
    ids = state.content.account_ids
    newcomers = (account_id for account_id in state.part(Ownership).by_account if ids.row_of(account_id) is None)
    hidden = state.accounts.hidden.rows
    known = (account_id for row, account_id in enumerate(ids.texts) if row not in hidden) if hidden else ids.texts
    return [*known, *sorted(newcomers)]


def accounts_of(state: LiveState, segments: SegmentCatalog, segment_id: str | None) -> list[str]:
    """Return every account, or those of a segment; raises UnknownSegment."""
    if segment_id is None:
        return known_accounts(state)
    segment, texts = segments.find(segment_id), state.content.account_ids.texts
    return [*(texts[row] for row in segments.members(segment).tolist()), *sorted(segment.newcomers)]


def sample_evenly(accounts: Sequence[Account], size: int) -> list[Account]:
    """Return accounts at even distances, the same ones whenever they are asked for.

    The artifact has its accounts in the order of hashes, so that an even sample of them all is a random one.
    """
    places = np.linspace(0, len(accounts) - 1, min(size, len(accounts))).round()
    return [accounts[place] for place in np.unique(places.astype(np.int64)).tolist()]


def score_accounts(
    state: LiveState,
    account_ids: Sequence[str],
    limit: int,
    options: ArbitrationOptions = DEFAULT_OPTIONS,
    *,
    now: datetime | None = None,
    includes_owned: bool = False,
) -> Iterator[tuple[int, ScoredLists]]:
    """Yield the lists of accounts, a thousand at a time, with the place of the first of them.

    An account that objects to marketing has no list. now: see ``gather``. includes_owned: see ``OfferRequest``.
    """
    for begin in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        wanted = OfferRequest(None, limit, includes_owned=includes_owned)
        requests = [wanted._replace(account_id=each) for each in account_ids[begin : begin + ACCOUNTS_AT_ONCE]]
        facts = gather(state, requests, options, now=now)
        parts = [_lists_of(part) for part in rank_offers(facts)]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        order = columns[0].argsort(kind="stable")
        yield begin, ScoredLists(*(column[order] for column in columns))


def _lists_of(part: Ranked) -> ScoredLists:
    lengths = [len(selection.positions) for selection in part.selections]
    positions = np.concatenate([selection.positions for selection in part.selections])
    pool = part.pool
    codes = np.array([SOURCES.index(source.name) for source in pool.sources], dtype=np.int8)
    return ScoredLists(
        account=np.repeat(np.array(part.accounts, dtype=np.int64), lengths),
        rank=np.concatenate([np.arange(1, length + 1, dtype=np.int32) for length in lengths]),
        product=pool.product[positions],
        score=pool.score[positions],
        source=codes[pool.source[positions]],
        propensity=propensities(pool, part.facts)[positions],
    )
