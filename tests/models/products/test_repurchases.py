"""Intervals between purchases against ones that are counted line by line."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.artifact import Products
from models.artifact.repurchases import NO_INTERVAL, OF_CATEGORY, OF_PRODUCT
from models.data.interactions import Interactions, owned_matrix
from models.products.repurchases import MIN_INTERVALS, SHRINKAGE, describe_repurchases, learn_repurchases
from tests.models.histories import DAY, START
from tests.models.products.samples import Basket, interactions_of, products_of

START_DAY = START // DAY


def random_baskets(seed: int, n_products: int = 12) -> list[Basket]:
    """Eighty accounts; products of higher numbers are bought ever less often. One basket in ten is a guest's."""
    rng = np.random.default_rng(seed)
    weights = 0.6 ** np.arange(n_products)
    baskets: list[Basket] = []
    for _ in range(900):
        account = -1 if rng.random() < 0.1 else int(rng.integers(0, 80))
        held = rng.choice(n_products, 2, replace=False, p=weights / weights.sum())
        baskets.append((account, int(rng.integers(0, 200)), held.tolist()))
    return baskets


def counted_gaps(history: Interactions) -> dict[int, list[int]]:
    """Days between purchases of each product by one account, by plain loops."""
    days: dict[tuple[int, int], set[int]] = defaultdict(set)
    lines = zip(history.account, history.product, history.time, history.quantity, strict=True)
    for account, product, time, quantity in lines:
        if account >= 0 and quantity > 0:
            days[int(account), int(product)].add(int(time) // DAY)
    gaps: dict[int, list[int]] = defaultdict(list)
    for (_, product), bought in days.items():
        ordered = sorted(bought)
        gaps[product] += [after - before for before, after in pairwise(ordered)]
    return gaps


@pytest.mark.parametrize("seed", range(4))
def test_an_interval_is_the_median_of_the_product_or_else_of_its_category(seed: int) -> None:
    history = interactions_of(random_baskets(seed), 12)
    categories = {product: ("a", "b", "")[product % 3] for product in range(12)}
    products = products_of(12, category=categories)

    learned = learn_repurchases(history, products, owned_matrix(history), None)

    gaps = counted_gaps(history)
    expected: dict[int, tuple[int, float | None]] = {}
    for product in range(12):
        of_category = [gap for other in range(12) for gap in gaps[other] if categories[other] == categories[product]]
        if len(gaps[product]) >= MIN_INTERVALS:
            expected[product] = OF_PRODUCT, median(gaps[product])
        elif categories[product] and len(of_category) >= MIN_INTERVALS:
            expected[product] = OF_CATEGORY, median(of_category)
        else:
            expected[product] = NO_INTERVAL, None
    intervals = {
        product: (int(basis), None if np.isnan(days) else float(days))
        for product, (basis, days) in enumerate(zip(learned.interval_bases, learned.interval_days, strict=True))
    }
    assert intervals == expected
    assert {basis for basis, _ in expected.values()} == {OF_PRODUCT, OF_CATEGORY, NO_INTERVAL}
    described = describe_repurchases(learned)
    assert described["of_product"] + described["of_category"] + described["without_interval"] == 12


def test_the_last_day_is_that_of_the_last_purchase_and_returns_are_none() -> None:
    history = interactions_of([(0, 3, [0]), (0, 9, [0, 1]), (1, 5, [0]), (0, 20, [0]), (-1, 30, [1])], 2)
    quantity = np.where(history.time == START + 20 * DAY, -1, 1).astype(np.float32)
    history = replace(history, quantity=quantity)
    owned = owned_matrix(history)

    learned = learn_repurchases(history, products_of(2), owned, None)

    assert list(zip(owned.indices.tolist(), (learned.last_days - START_DAY).tolist(), strict=True)) == [
        (0, 9), (1, 9), (0, 5),
    ]  # fmt: skip
    assert np.isnan(learned.rates).all()


def test_purchases_of_one_day_are_one_purchase() -> None:
    one_a_day = [(account, day, [0]) for account in range(MIN_INTERVALS) for day in (0, 7)]
    history = interactions_of([*one_a_day, *one_a_day, *one_a_day], 1)

    learned = learn_repurchases(history, products_of(1), owned_matrix(history), None)

    assert learned.interval_days.tolist() == [7]


def test_the_rate_of_a_product_is_that_of_its_owners_drawn_to_the_mean_of_all() -> None:
    owned = csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.float32))
    history = interactions_of([(0, 0, [0, 1]), (1, 0, [0])], 3)
    probabilities = np.array([0.5, 0.1, 0.3], dtype=np.float32)

    learned = learn_repurchases(history, products_of(3), owned, probabilities)

    mean = 0.9 / 3
    expected = [(total + SHRINKAGE * mean) / (n + SHRINKAGE) for total, n in ((0.8, 2), (0.1, 1), (0, 0))]
    assert learned.rates.tolist() == pytest.approx(expected)


def test_nothing_is_learned_where_nothing_was_bought() -> None:
    history = interactions_of([], 2)
    products: Products = products_of(2, category="a")

    learned = learn_repurchases(history, products, csr_matrix((0, 2), dtype=np.float32), None)

    assert learned.last_days.tolist() == []
    assert learned.interval_bases.tolist() == [NO_INTERVAL] * 2
    assert describe_repurchases(learned) == {
        "of_product": 0, "of_category": 0, "without_interval": 2, "median_interval_days": None,
    }  # fmt: skip
