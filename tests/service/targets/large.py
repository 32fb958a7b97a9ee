"""A large artifact with random propensities: 200,000 accounts, 8 products."""

from dataclasses import replace
from functools import cache

import numpy as np

from models.artifact import Content, IdIndex, in_hash_order
from models.artifact.activity import Activity
from models.artifact.customers import RFM_SEGMENTS
from models.artifact.dimensions import ACCOUNTS, CANDIDATES
from models.artifact.dimensions import PRODUCTS as PRODUCT_ROWS
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from tests.artifacts import coffee_world, content_of

N_ACCOUNTS = 200_000
N_CANDIDATES = 2
AS_OF_DAY = 19_800
PRODUCTS = ("beans", "grinder", "grinder-pro", "filter", "kettle", "scale", "mug", "milk")


@cache
def large_content() -> Content:
    """Make the artifact's content: each account has two candidates, of random propensity, and one day of purchases."""
    rng = np.random.default_rng(7)
    small = content_of(coffee_world())
    n_products = len(small.products.ids)
    learned = Content.empty({ACCOUNTS: N_ACCOUNTS, CANDIDATES: N_CANDIDATES, PRODUCT_ROWS: n_products}, report=b"{}")
    first = rng.integers(0, n_products - 1, N_ACCOUNTS)
    candidates = np.stack([first, first + 1], axis=1).astype(np.int32)
    propensities = np.sort((rng.random((N_ACCOUNTS, 2)) * 0.4).round(3).astype(np.float32), axis=1)[:, ::-1].copy()
    order = np.lexsort((-propensities.ravel(), candidates.ravel()))
    propensities_section = replace(
        learned.propensities,
        candidates=propensities,
        rates=np.linspace(0.02, 0.3, n_products).astype(np.float32),
        factors=np.linspace(2, 0.1, len(RFM_SEGMENTS) + 1).round(2).astype(np.float32),
        target_starts=np.searchsorted(np.sort(candidates.ravel()), np.arange(n_products + 1)).astype(np.int64),
        target_accounts=(order // 2).astype(np.int32),
        target_places=(order % 2).astype(np.uint8),
    )
    customers = replace(
        learned.customers,
        rfm_segment=rng.integers(-1, len(RFM_SEGMENTS), N_ACCOUNTS).astype(np.int8),
        is_alive=rng.random(N_ACCOUNTS).astype(np.float32),
    )
    ones = np.ones(N_ACCOUNTS, dtype=np.int32)
    spent = np.where(rng.random(N_ACCOUNTS) < 0.0005, -100, 100).astype(np.int64)
    activity = Activity(np.arange(N_ACCOUNTS + 1), ones * -1, ones, ones * 0, spent, spent * 0)
    none = np.empty(0, dtype=np.int32)
    return replace(
        learned,
        account_ids=IdIndex.from_ids(in_hash_order(f"account-{number}" for number in range(N_ACCOUNTS))),
        owned_offsets=np.zeros(N_ACCOUNTS + 1, dtype=np.int64),
        owned_products=none,
        owned_scores=none.astype(np.float32),
        candidate_products=candidates,
        candidate_scores=propensities,
        candidate_reasons=np.full((N_ACCOUNTS, 1, 2), -1, dtype=np.int32),
        products=small.products,
        popular_products=small.popular_products,
        popular_scores=small.popular_scores,
        neighbour_products=small.neighbour_products,
        neighbour_scores=small.neighbour_scores,
        propensities=propensities_section,
        customers=customers,
        activity=activity,
    )


def large_state() -> tuple[LiveState, SegmentCatalog]:
    """Make a live state of the artifact, and its segments."""
    state = LiveState(large_content(), 0)
    return state, SegmentCatalog(state.content, "v1", state.part(SegmentMembership))
