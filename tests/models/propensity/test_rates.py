"""Rates of what is no candidate: counted pair by pair, shrunk as the gamma-Poisson model says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.artifact.groups import NO_GROUP
from models.data.interactions import owned_matrix
from models.products.groups import groups_of
from models.propensity.examples import ListedCandidates, bought_between
from models.propensity.rates import Rates, learn_rates, measure_rates
from models.propensity.snapshot import N_SEGMENTS
from tests.models.propensity.samples import AS_OF, DAY, HORIZON_DAYS, random_shop, snapshot_of

SHOP = random_shop(4)
SNAPSHOT = snapshot_of(SHOP)
CATEGORY = groups_of(SNAPSHOT.products.categories)[0]
BOUGHT = bought_between(SHOP.history().interactions, AS_OF, HORIZON_DAYS)
PRIOR = 2.0


def listed_at(n_candidates: int) -> ListedCandidates:
    """Random candidates of every account that owns something, some lists shorter than others."""
    rng = np.random.default_rng(5)
    owned = owned_matrix(SNAPSHOT.past)
    rows = np.flatnonzero(np.diff(owned.indptr)).astype(np.int32)
    products = np.full((len(rows), n_candidates), NO_ROW, dtype=np.int32)
    for place, row in enumerate(rows):
        free = np.setdiff1d(np.arange(SNAPSHOT.past.n_products), owned[row].indices)
        chosen = rng.permutation(free)[: n_candidates - place % 2]
        products[place, : len(chosen)] = chosen
    return ListedCandidates(rows, products, np.zeros(products.shape, dtype=np.float32), owned)


LISTED = listed_at(3)
RATES = learn_rates(SNAPSHOT, LISTED, BOUGHT, CATEGORY)


def count(listed: ListedCandidates) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """The accounts that could have bought each product unforeseen, and those that did."""
    could: dict[int, set[int]] = {product: set() for product in range(SNAPSHOT.past.n_products)}
    did: dict[int, set[int]] = {product: set() for product in could}
    for row, candidates in zip(listed.rows.tolist(), listed.products.tolist(), strict=True):
        for product in set(could) - set(candidates) - set(listed.owned[row].indices.tolist()):
            could[product].add(row)
            if BOUGHT[row, product] > 0:
                did[product].add(row)
    return could, did


def shrunk(events: float, exposure: float, usual: float) -> float:
    """The mean of a gamma distribution that began with two events at the usual rate."""
    return (events + PRIOR) / (exposure + PRIOR / usual)


def test_rates_of_products_are_counted_and_shrunk_to_their_category_s() -> None:
    could, did = count(LISTED)
    sold = sorted(set(SNAPSHOT.lines.product.tolist()))
    new_pairs = [(row, p) for row in LISTED.rows.tolist() for p in sold if LISTED.owned[row, p] == 0]
    usual = (sum(BOUGHT[pair] > 0 for pair in new_pairs) + PRIOR) / (len(new_pairs) + 2 * PRIOR)
    of_all = shrunk(sum(len(did[p]) for p in sold), sum(len(could[p]) for p in sold), usual)

    for product in sold:
        alike = [p for p in sold if CATEGORY[p] == CATEGORY[product]]
        of_group = shrunk(sum(len(did[p]) for p in alike), sum(len(could[p]) for p in alike), of_all)
        expected = shrunk(len(did[product]), len(could[product]), of_group)
        assert RATES.of_product[product] == pytest.approx(expected)
        if CATEGORY[product] != NO_GROUP:
            assert RATES.of_category[CATEGORY[product]] == pytest.approx(of_group)
    assert RATES.of_category[-1] == pytest.approx(of_all)


def test_factors_are_what_a_segment_bought_unforeseen_over_what_was_expected() -> None:
    could, did = count(LISTED)

    for segment in range(N_SEGMENTS):
        rows = set(LISTED.rows[SNAPSHOT.segment[LISTED.rows] == segment].tolist())
        observed = sum(len(accounts & rows) for accounts in did.values())
        expected = sum(len(accounts & rows) * RATES.of_product[product] for product, accounts in could.items())
        assert RATES.factor[segment] == pytest.approx((observed + PRIOR) / (expected + PRIOR))
    assert RATES.factor[N_SEGMENTS] == 1


def test_what_was_never_sold_gets_its_category_s_rate_times_what_such_products_sold() -> None:
    (unsold,) = set(range(SNAPSHOT.past.n_products)) - set(SNAPSHOT.lines.product.tolist())
    could, _ = count(LISTED)
    nobody = BOUGHT.copy().tolil()
    nobody[:, unsold] = 0

    rates = learn_rates(SNAPSHOT, LISTED, nobody.tocsr(), np.zeros_like(CATEGORY))

    usual = rates.of_category[0]
    assert rates.of_product[unsold] == pytest.approx(usual * PRIOR / (len(could[unsold]) * usual + PRIOR))


def test_where_everything_is_among_the_candidates_rates_are_what_is_usual_of_what_is_not_owned() -> None:
    listed = listed_at(SNAPSHOT.past.n_products + 1)
    rates = learn_rates(SNAPSHOT, listed, BOUGHT, CATEGORY)

    could, _ = count(listed)
    sold = sorted(set(SNAPSHOT.lines.product.tolist()))
    new = [BOUGHT[row, p] > 0 for row in listed.rows.tolist() for p in sold if listed.owned[row, p] == 0]
    assert not any(could.values())
    assert rates.of_product[sold] == pytest.approx((sum(new) + PRIOR) / (len(new) + 2 * PRIOR))
    assert (rates.of_product < 1).all()


def test_nothing_after_the_horizon_and_nothing_before_the_moment_that_comes_later_matters() -> None:
    late = AS_OF + round(HORIZON_DAYS * DAY)
    history = replace(
        SHOP, lines=[line._replace(time=late) if line.time > late else line for line in SHOP.lines]
    ).history()

    rates = learn_rates(SNAPSHOT, LISTED, bought_between(history.interactions, AS_OF, HORIZON_DAYS), CATEGORY)

    np.testing.assert_array_equal(rates.of_product, RATES.of_product)


def test_known_rates_are_recovered_and_measured_to_be_right() -> None:
    rng = np.random.default_rng(6)
    shape = (4_000, 30)
    truth = rng.beta(1, 60, shape[1])
    history = random_shop(1).history().interactions
    snapshot = replace(
        SNAPSHOT,
        past=replace(
            history.select(np.zeros(history.n_lines, dtype=np.bool_)),
            account=np.repeat(np.arange(shape[0], dtype=np.int32), 2),
            product=rng.integers(0, shape[1], 2 * shape[0]).astype(np.int32),
            order=np.arange(2 * shape[0], dtype=np.int32),
            time=np.full(2 * shape[0], AS_OF - 5 * DAY),
            quantity=np.ones(2 * shape[0], dtype=np.float32),
            amount_minor=np.full(2 * shape[0], 100),
            account_ids=np.array([f"a{row}" for row in range(shape[0])], dtype=object),
            product_ids=np.array([f"p{row}" for row in range(shape[1])], dtype=object),
            order_count=2 * shape[0],
        ),
    )
    owned = owned_matrix(snapshot.past)
    nothing = np.zeros((shape[0], 0))
    listed = ListedCandidates(
        np.arange(shape[0], dtype=np.int32), nothing.astype(np.int32), nothing.astype(np.float32), owned
    )
    then, later = (csr_matrix((rng.random(shape) < truth).astype(np.float32)) for _ in range(2))

    rates = learn_rates(snapshot, listed, then, np.zeros(shape[1], dtype=np.int32))

    errors = np.sqrt(truth / shape[0])
    assert (np.abs(rates.of_product - truth) < 4 * errors + 0.001).all()
    measured = measure_rates(rates, 1.0, snapshot, listed, later, seed=0)
    assert measured.low < 1.03
    assert measured.high > 0.97
    doubled = measure_rates(
        Rates(rates.of_product, rates.of_category, rates.factor), 2.0, snapshot, listed, later, seed=0
    )
    assert doubled.mean == pytest.approx(measured.mean / 2)
