"""Lines and categories: every feature and sum counted again, line by line, or solved another way."""

from dataclasses import replace
from math import exp, log, log1p
from statistics import fmean, median, pstdev

import numpy as np
import pytest

from models.artifact import Groups
from models.artifact.dimensions import ACCOUNTS, PRODUCTS
from models.customers.groups import groups_of
from models.data.interactions import owned_matrix
from models.propensity.calibration import Examples, RecentRate
from models.propensity.examples import bought_between
from models.propensity.groups import (
    FEATURES,
    REGULARIZATION,
    GroupFeatures,
    group_examples,
    grouped,
    spend_between,
    spend_factors,
    usual_spend,
)
from models.propensity.snapshot import N_SEGMENTS, Snapshot
from models.propensity.train_groups import learn_groups
from tests.models.propensity.counted import RECENT_DAYS, Counted
from tests.models.propensity.samples import AS_OF, DAY, HORIZON_DAYS, Shop, random_shop, snapshot_of

SHOP = random_shop(3)
COUNTED = Counted(SHOP)
NAMES = sorted({category for category, _ in SHOP.products.values() if category})
END = AS_OF + HORIZON_DAYS * DAY


def groups_at(snapshot: Snapshot) -> GroupFeatures:
    groups = groups_of(snapshot.products.categories, owned_matrix(snapshot.past))
    return GroupFeatures(snapshot, groups.of_product, len(groups))


KNOWN = groups_at(snapshot_of(SHOP))
IDS = list(KNOWN.snapshot.past.account_ids)
KNOWN_FEATURES = KNOWN.features_of(np.arange(len(IDS), dtype=np.int32))


def owns(account: str) -> set[str]:
    """The categories that an account owns something of."""
    return {SHOP.category(product) for product in COUNTED.owned[account]} - {""}


def firsts_of(category: str) -> dict[str, float]:
    """How long ago each account first bought of a category."""
    ages: dict[str, float] = {}
    for (account, product), age in COUNTED.first_ages.items():
        if SHOP.category(product) == category:
            ages[account] = max(age, ages.get(account, 0))
    return ages


def test_what_is_open_to_an_account_is_what_it_owns_nothing_of() -> None:
    is_open = KNOWN.is_open(np.arange(len(IDS), dtype=np.int32))

    for row, account in enumerate(IDS):
        assert {name for name, free in zip(NAMES, is_open[row], strict=True) if not free} == owns(account)


def test_the_features_of_a_group_are_counted_from_its_lines() -> None:
    for column, category in enumerate(NAMES):
        inside = [product for product in SHOP.products if SHOP.category(product) == category]
        price = log(median([COUNTED.prices[product] for product in inside if product in COUNTED.prices]))
        prices = [log(COUNTED.prices[product]) for product in inside if product in COUNTED.prices]
        expected = {
            "owners": log1p(sum(category in owns(account) for account in IDS)),
            "adopters": log1p(sum(age <= HORIZON_DAYS for age in firsts_of(category).values())),
        }
        for name, value in expected.items():
            assert KNOWN_FEATURES[:, column, FEATURES.index(name)] == pytest.approx(value, rel=1e-5), (category, name)
        assert price == pytest.approx(median(prices), abs=0.2)
        for row, account in enumerate(IDS):
            price = KNOWN_FEATURES[row, column, FEATURES.index("price")]
            assert price == pytest.approx(median(prices) - COUNTED.usual_price(account), abs=1e-5)


def test_the_features_of_an_account_are_those_of_products_and_how_many_groups_it_owns() -> None:
    accounts = KNOWN.snapshot.accounts
    for row, account in enumerate(IDS):
        assert KNOWN_FEATURES[row, :, FEATURES.index("owned")] == pytest.approx(log1p(len(owns(account))))
        for name in ("recency", "frequency", "lines", "novelty"):
            assert (KNOWN_FEATURES[row, :, FEATURES.index(name)] == getattr(accounts, name)[row]).all()


def test_affinity_is_what_ridge_regressions_of_each_group_on_the_others_say() -> None:
    owned = np.array([[name in owns(account) for name in NAMES] for account in IDS], dtype=np.float64)

    for column in range(len(NAMES)):
        others = np.delete(owned, column, axis=1)
        gram = others.T @ others + REGULARIZATION * np.eye(others.shape[1])
        weights = np.linalg.solve(gram, others.T @ owned[:, column])
        assert KNOWN_FEATURES[:, column, FEATURES.index("affinity")] == pytest.approx(others @ weights, abs=1e-5)


def test_the_novelty_rate_counts_recent_first_purchases_in_a_group_by_existing_accounts() -> None:
    oldest: dict[str, float] = {}
    for (account, _), age in COUNTED.first_ages.items():
        oldest[account] = max(age, oldest.get(account, 0))
    here = {account for account, age in oldest.items() if age > RECENT_DAYS}

    novelty = KNOWN.novelty_rate(1.5)

    new = sum(age <= RECENT_DAYS and account in here for name in NAMES for account, age in firsts_of(name).items())
    assert novelty == RecentRate(new, 1.5 * len(here))


def test_examples_are_the_open_groups_of_buyers_and_what_was_bought_of_them() -> None:
    history = SHOP.history().interactions
    bought = grouped(bought_between(history, AS_OF, HORIZON_DAYS), KNOWN.of_product, KNOWN.n_groups)

    examples, group = group_examples(KNOWN, bought, seed=0)

    outcomes = {
        (IDS[account], NAMES[column]): bool(is_true)
        for account, column, is_true in zip(examples.account, group, examples.is_true, strict=True)
    }
    kept: dict[tuple[str | None, str], float] = {}
    for line in SHOP.lines:
        if AS_OF <= line.time < END:
            kept[line.account, line.product] = kept.get((line.account, line.product), 0) + line.quantity
    new = {(account, SHOP.category(product)) for (account, product), quantity in kept.items() if quantity > 0}
    owners = [account for account in IDS if COUNTED.owned[account]]
    assert outcomes == {
        (account, name): (account, name) in new for account in owners for name in set(NAMES) - owns(account)
    }
    assert any(outcomes.values())


def test_spend_is_added_up_from_the_lines_of_the_horizon_returns_subtracted() -> None:
    spend = spend_between(SHOP.history().interactions, KNOWN.of_product, KNOWN.n_groups, AS_OF, HORIZON_DAYS).toarray()

    for row, account in enumerate(IDS):
        for column, name in enumerate(NAMES):
            lines = [line for line in SHOP.lines if line.account == account and AS_OF <= line.time < END]
            assert spend[row, column] == sum(line.amount for line in lines if SHOP.category(line.product) == name)


def test_usual_spend_is_mean_and_spread_of_adopters_with_three_average_ones_added() -> None:
    group, spent = np.array([0, 0, 1, 1, 1, 2, 2]), np.array([100.0, 300.0, 50.0, 0.0, -40.0, 1_000.0, 7.0])
    is_true = np.array([True, True, True, True, True, False, False])
    examples = Examples(np.zeros((7, 1), np.float32), np.zeros(7, np.float32), is_true, np.arange(7), RecentRate(1, 1))

    measured = usual_spend(examples, group, spent, 3)

    everyone = [100.0, 300.0, 50.0, 0.0, 0.0]
    for column, own in enumerate(([100.0, 300.0], [50.0, 0.0, 0.0], [])):
        # Three adopters with the mean and the mean square of all are added to the group's own.
        mean = (sum(own) + 3 * fmean(everyone)) / (len(own) + 3)
        square = (sum(value**2 for value in own) + 3 * fmean(value**2 for value in everyone)) / (len(own) + 3)
        assert measured[column].tolist() == pytest.approx([mean, (square - mean**2) ** 0.5], rel=1e-5)
    assert measured[2].tolist() == pytest.approx([fmean(everyone), pstdev(everyone)], rel=1e-5)


def test_where_nobody_bought_anything_new_spend_is_unknown() -> None:
    nobody = Examples(
        np.zeros((2, 1), np.float32), np.zeros(2, np.float32), np.zeros(2, np.bool_), np.arange(2), RecentRate(1, 1)
    )

    assert np.isnan(usual_spend(nobody, np.array([0, 1]), np.zeros(2), 2)).all()


def test_spend_factors_tell_how_dear_accounts_buy_beside_all_that_ever_bought() -> None:
    factors = dict(zip(IDS, spend_factors(KNOWN.snapshot).tolist(), strict=True))

    usual = {account: COUNTED.usual_price(account) for account in COUNTED.buyers}
    middle = fmean(usual.values())
    dear = {account: exp(min(max(price - middle, log(0.5)), log(2))) for account, price in usual.items()}
    mean = fmean(dear.values())
    for account in IDS:
        assert factors[account] == pytest.approx(dear[account] / mean if account in dear else 1, rel=1e-5)


def test_nothing_that_comes_later_is_in_any_feature_or_factor() -> None:
    snapshot = snapshot_of(replace(SHOP.before(AS_OF), products=SHOP.products))

    np.testing.assert_array_equal(groups_at(snapshot).features_of(np.arange(len(IDS), dtype=np.int32)), KNOWN_FEATURES)
    np.testing.assert_array_equal(spend_factors(snapshot), spend_factors(KNOWN.snapshot))
    assert groups_at(snapshot).novelty_rate(1) == KNOWN.novelty_rate(1)


def test_one_group_of_which_all_own_something_leaves_nothing_to_learn() -> None:
    snapshot = snapshot_of(Shop(SHOP.lines, dict.fromkeys(SHOP.products, ("all", None)), SHOP.accounts))
    groups = groups_of(snapshot.products.categories, owned_matrix(snapshot.past))

    learned = learn_groups([snapshot] * 4, snapshot.past, groups, seed=0)

    assert learned.likely is None
    assert "too few" in learned.described["note"]


def test_groups_beyond_what_can_be_kept_are_left_out_and_it_is_said() -> None:
    snapshot = snapshot_of(SHOP)
    none = Groups.empty({ACCOUNTS: len(IDS), PRODUCTS: len(SHOP.products)})

    assert "none, or too many" in learn_groups([snapshot] * 4, snapshot.past, none, seed=0).described["note"]


def test_an_account_that_never_bought_is_in_the_last_segment() -> None:
    assert KNOWN.snapshot.segment[IDS.index("a42")] == N_SEGMENTS
