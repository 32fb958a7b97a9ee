"""Rankings of accounts by product: as the naive definition has them, without memory per account and product."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.listed_policies import ListedPolicies
from service.targets.answers import page_of_targets
from service.targets.ranking import TargetProduct, TargetRankings, find_target_product
from tests.service.conftest import NOON
from tests.service.targets.large import N_ACCOUNTS, PRODUCTS, large_state


@pytest.fixture(scope="module")
def rankings() -> TargetRankings:
    """Rankings of the large artifact."""
    return TargetRankings(large_state()[1])


def product_of(product_id: str) -> TargetProduct:
    """A product of the large artifact."""
    product = find_target_product(large_state()[0].part(CatalogueView).products, product_id)
    assert product is not None
    return product


def rank_naively(rankings: TargetRankings, product: TargetProduct) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Sort every account: candidates by their own propensity, all others by rate times factor; ties as they come."""
    candidates, propensities = rankings.segments.content.propensities.targets_of(product.row or 0)
    others = rankings.by_factor[~np.isin(rankings.by_factor, candidates)]
    priors = np.minimum(rankings.rate_of(product) * rankings.factors[others], 1)
    everyone, chances = np.concatenate([candidates, others]), np.concatenate([propensities, priors])
    order = np.argsort(-chances, kind="stable")
    return everyone[order], chances[order]


@pytest.mark.parametrize("product_id", PRODUCTS)
def test_a_ranking_is_the_sorted_list_of_all_accounts(rankings: TargetRankings, product_id: str) -> None:
    product = product_of(product_id)
    expected_rows, expected_propensities = rank_naively(rankings, product)

    blocks = list(rankings.rank(product).blocks(0))

    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), expected_rows)
    np.testing.assert_array_equal(np.concatenate([block.propensities for block in blocks]), expected_propensities)
    is_candidate = np.concatenate([block.is_candidate for block in blocks])
    assert set(expected_rows[is_candidate].tolist()) == set(rankings.rank(product).candidates.tolist())


def test_any_part_of_a_ranking_is_that_part_of_the_whole(rankings: TargetRankings) -> None:
    ranking = rankings.rank(product_of("kettle"))
    whole = ranking.block(0, N_ACCOUNTS)
    rng = np.random.default_rng(2)

    for begin in rng.integers(0, N_ACCOUNTS, 50).tolist():
        part = ranking.block(begin, begin + 37)

        assert part.rows.tolist() == whole.rows[begin : begin + 37].tolist()
        assert part.is_candidate.tolist() == whole.is_candidate[begin : begin + 37].tolist()


def test_without_a_rate_only_candidates_are_ranked(rankings: TargetRankings) -> None:
    unknown = TargetProduct("new", "New", None, None, None, None, True, None)

    ranking = rankings.rank(unknown)

    assert len(ranking) == 0
    assert list(ranking.blocks(0)) == []


def test_pages_of_many_products_leave_no_more_memory_behind_than_one_order_of_the_accounts() -> None:
    state, segments = large_state()
    rankings = TargetRankings(segments)
    page_of_targets(rankings, state, product_of("beans"), None, ListedPolicies.from_state(state, NOON), None, 100)
    products = [product_of(product_id) for product_id in PRODUCTS]

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for product in products * 10:
        page_of_targets(rankings, state, product, None, ListedPolicies.from_state(state, NOON), None, 100)
    left_behind = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert left_behind < N_ACCOUNTS
