"""Every feature of a pair against one that is counted line by line; and nothing of what comes later is in any."""

from dataclasses import replace
from math import log, log1p

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.propensity.features import FEATURES
from models.propensity.features import features_of as pair_features
from models.propensity.pair_tables import SIMILAR_DAYS, learn_tables
from tests.models.propensity.counted import RECENT_DAYS, Counted
from tests.models.propensity.samples import (
    AS_OF,
    DAY,
    HORIZON_DAYS,
    OrderLine,
    Shop,
    no_similar,
    random_shop,
    shortlist_of,
    snapshot_of,
)

SHOP = random_shop(1)


def features_of(shop: Shop, ids: list[str] | None = None) -> dict[tuple[str, str], NDArray[np.float32]]:
    """The features of every account and product, looked up by their identifiers, as of AS_OF."""
    snapshot = snapshot_of(shop)
    known = learn_tables(snapshot, no_similar(snapshot))
    rows = np.arange(snapshot.past.n_accounts, dtype=np.int32)
    products = np.broadcast_to(
        np.arange(snapshot.past.n_products, dtype=np.int32), (len(rows), snapshot.past.n_products)
    )
    features = pair_features(known, shortlist_of(rows, products))
    return {
        (account, product): features[row, column]
        for row, account in enumerate(snapshot.past.account_ids)
        for column, product in enumerate(snapshot.past.product_ids)
        if ids is None or account in ids
    }


FEATURES_OF_PAIRS = features_of(SHOP)
COUNTED = Counted(SHOP)


def column(name: str) -> dict[tuple[str, str], float]:
    return {pair: float(values[FEATURES.index(name)]) for pair, values in FEATURES_OF_PAIRS.items()}


def test_an_account_s_features_are_counted_from_its_own_lines() -> None:
    for account in SHOP.accounts:
        days = COUNTED.days(account)
        lines = [line for buyer, line in COUNTED.bought if buyer == account]
        new = [age for (buyer, _), age in COUNTED.first_ages.items() if buyer == account]
        expected = {
            "recency": min(days, default=100 * HORIZON_DAYS),
            "frequency": sum(age <= RECENT_DAYS for age in days),
            "lines": sum(COUNTED.age(line) <= RECENT_DAYS for line in lines),
            "novelty": sum(age <= RECENT_DAYS for age in new),
            "size": len(new),
            "all_lines": len(lines),
        }
        for name, value in expected.items():
            assert column(name)[account, "p3"] == pytest.approx(log1p(value), rel=1e-6), (account, name)


def test_a_product_s_features_are_counted_from_all_lines_of_known_accounts() -> None:
    for product in SHOP.products:
        firsts = [age for (_, adopted), age in COUNTED.first_ages.items() if adopted == product]
        lines = [line for _, line in COUNTED.bought if line.product == product]
        expected = {
            "adopters": sum(age <= RECENT_DAYS for age in firsts),
            "owners": len(firsts),
            "buyers": sum(COUNTED.age(line) <= RECENT_DAYS for line in lines),
            "sold": len(lines),
            "sold_7": sum(COUNTED.age(line) <= 7 for line in lines),
            "sold_14": sum(COUNTED.age(line) <= 14 for line in lines),
            "sold_60": sum(COUNTED.age(line) <= 60 for line in lines),
            "product_age": max(
                (COUNTED.age(line) for line in SHOP.before(AS_OF).lines if line.product == product), default=0
            ),
        }
        for name, value in expected.items():
            assert column(name)["a3", product] == pytest.approx(log1p(value), rel=1e-6), (product, name)
        for name, late, early in (("trend", "sold_14", "sold_60"), ("growth", "buyers", "sold")):
            change = log1p(expected[late]) - log1p(expected[early])
            assert column(name)["a3", product] == pytest.approx(change, abs=1e-5), (product, name)


def test_a_category_s_share_and_popularity_are_counted_from_lines() -> None:
    for account, product in FEATURES_OF_PAIRS:
        category = SHOP.category(product)
        own = [line for buyer, line in COUNTED.bought if buyer == account and SHOP.category(line.product)]
        inside = [line for line in own if _is_in(line.product, category)]
        recent = [line for _, line in COUNTED.bought if _is_in(line.product, category)]
        expected = {
            "category_share": len(inside) / max(len(own), 1),
            "category_popularity": log1p(sum(COUNTED.age(line) <= RECENT_DAYS for line in recent)),
        }
        for name, value in expected.items():
            assert column(name)[account, product] == pytest.approx(value, rel=1e-5), (account, product, name)


def test_purchases_of_similar_accounts_count_by_their_similarity() -> None:
    snapshot = snapshot_of(SHOP)
    n_accounts, n_products = snapshot.past.n_accounts, snapshot.past.n_products
    similar = np.random.default_rng(0).random((n_accounts, n_accounts)).astype(np.float32)
    similar[similar < 0.8] = 0
    everything = np.broadcast_to(np.arange(n_products, dtype=np.int32), (n_accounts, n_products))
    listed = shortlist_of(np.arange(n_accounts, dtype=np.int32), everything)

    values = pair_features(learn_tables(snapshot, csr_matrix(similar).__getitem__), listed)[
        ..., FEATURES.index("similar_recent")
    ]

    accounts, products = list(snapshot.past.account_ids), list(snapshot.past.product_ids)
    bought = np.zeros((n_accounts, n_products))
    for buyer, line in COUNTED.bought:
        if COUNTED.age(line) <= SIMILAR_DAYS:
            bought[accounts.index(buyer), products.index(line.product)] = 1
    np.testing.assert_allclose(values, similar @ bought, rtol=1e-5)


def test_a_price_is_compared_with_what_the_account_usually_pays_and_says_nothing_where_it_is_unknown() -> None:
    bare = {product: (category, None) for product, (category, _) in SHOP.products.items()}
    for shop in (SHOP, replace(SHOP, products=bare)):
        counted, features = Counted(shop), features_of(shop)
        for (account, product), values in features.items():
            price = counted.prices.get(product)
            expected = 0.0 if price is None else log(price) - counted.usual_price(account)
            assert values[FEATURES.index("price")] == pytest.approx(expected, abs=1e-5), (account, product)
    assert "p13" not in Counted(replace(SHOP, products=bare)).prices, "nobody bought it, nothing tells its price"


def test_a_category_s_features_are_counted_from_the_account_s_lines_of_it() -> None:
    for account, product in FEATURES_OF_PAIRS:
        category = SHOP.category(product)
        firsts = [
            age
            for (buyer, adopted), age in COUNTED.first_ages.items()
            if buyer == account and _is_in(adopted, category)
        ]
        ages = [
            COUNTED.age(line) for buyer, line in COUNTED.bought if buyer == account and _is_in(line.product, category)
        ]
        expected = {
            "category_novelty": sum(age <= HORIZON_DAYS for age in firsts),
            "category_recency": min(ages, default=10_000),
            "category_owned": len(firsts),
        }
        for name, value in expected.items():
            assert column(name)[account, product] == pytest.approx(log1p(value), rel=1e-5), (account, product, name)


def _is_in(product: str, category: str) -> bool:
    return bool(category) and SHOP.category(product) == category


def test_the_share_of_a_category_is_that_of_first_purchases_within_a_horizon() -> None:
    new = [product for (_, product), age in COUNTED.first_ages.items() if age <= HORIZON_DAYS]
    for product in SHOP.products:
        beside = sum(SHOP.category(other) == SHOP.category(product) for other in new)
        expected = log((new.count(product) + 0.5) / (beside + 5))
        assert column("share_of_category")["a0", product] == pytest.approx(expected, rel=1e-5)


def test_relations_are_counted_from_what_goes_together_beyond_chance_with_what_is_owned() -> None:
    leads = COUNTED.leads
    assert len(leads) >= 4

    for account, product in FEATURES_OF_PAIRS:
        strengths = [leads[owned, product] for owned in COUNTED.owned[account] if (owned, product) in leads]
        assert column("relations")[account, product] == pytest.approx(log1p(len(strengths)), rel=1e-6)
        assert column("relation_strength")[account, product] == pytest.approx(log1p(sum(strengths)), rel=1e-5)
    assert max(column("relations").values()) > 0


def test_the_score_is_passed_on_and_the_rank_is_the_place_in_the_list() -> None:
    snapshot = snapshot_of(SHOP)
    known = learn_tables(snapshot, no_similar(snapshot))
    products = np.array([[3, 1, 2, NO_ROW]], dtype=np.int32)
    scores = np.array([[0.9, 0.5, 0.25, 0]], dtype=np.float32)

    features = pair_features(known, shortlist_of(np.array([0], dtype=np.int32), products, scores))[0, :3]

    assert features[:, FEATURES.index("score")] == pytest.approx([0.9, 0.5, 0.25])
    assert features[:, FEATURES.index("rank")] == pytest.approx(np.log([1, 2, 3]))


def test_every_feature_is_a_number_whatever_is_missing() -> None:
    bare = dict.fromkeys(SHOP.products, ("", None))
    unpaid = [line._replace(amount=0) for line in SHOP.lines]
    guests = [line._replace(account=None) for line in SHOP.lines]
    for shop in (SHOP, Shop(unpaid, bare, {}), Shop([*guests, SHOP.lines[0]._replace(time=AS_OF)], bare, {"a1": {}})):
        for values in features_of(shop).values():
            assert np.isfinite(values).all()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_comes_later_is_in_any_feature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shop = random_shop(seed)
    early = shop.before(AS_OF)
    later = [
        OrderLine(f"a{rng.integers(60)}", f"late{number}", f"p{rng.integers(20)}", AS_OF + number * DAY, 3.0, 77)
        for number in range(30)
    ]
    kept = [line for line in shop.lines if line.time >= AS_OF and rng.random() < 0.5]
    products = dict(shop.products) | {f"p{number}": ("beans", 100) for number in range(14, 20)}

    with_more = features_of(Shop([*early.lines, *kept, *later], products, shop.accounts))

    without = features_of(replace(early, products=products))
    for pair, values in without.items():
        np.testing.assert_array_equal(values, with_more[pair], err_msg=str(pair))
