"""A snapshot knows what was before it, and how fast accounts find what is new to them."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from models.propensity.calibration import RecentRate
from models.propensity.snapshot import N_SEGMENTS, Snapshot
from tests.models.histories import START, Line, make_history
from tests.models.propensity.counted import RECENT_DAYS, Counted
from tests.models.propensity.samples import AS_OF, DAY, HORIZON_DAYS, random_shop, snapshot_of

SHOP = random_shop(2)
COUNTED = Counted(SHOP)
SNAPSHOT = snapshot_of(SHOP)


def test_lines_are_what_known_accounts_bought_before_it() -> None:
    ids, products = SNAPSHOT.past.account_ids, SNAPSHOT.past.product_ids

    lines = sorted(
        (ids[account], products[product], round(float(age) * DAY, -1), amount)
        for account, product, age, amount in zip(*vars(SNAPSHOT.lines).values(), strict=True)
    )

    expected = sorted(
        (account, line.product, round(float(np.float32(COUNTED.age(line))) * DAY, -1), line.amount)
        for account, line in COUNTED.bought
    )
    assert lines == expected


def test_first_purchases_are_one_for_each_account_and_product_that_it_ever_bought() -> None:
    firsts = SNAPSHOT.firsts

    ages = {
        (SNAPSHOT.past.account_ids[account], SNAPSHOT.past.product_ids[product]): float(age)
        for account, product, age in zip(firsts.account, firsts.product, firsts.age, strict=True)
    }

    assert ages == pytest.approx(COUNTED.first_ages)


def test_prices_are_the_catalogue_s_or_the_median_paid() -> None:
    prices = dict(zip(SNAPSHOT.past.product_ids, SNAPSHOT.prices, strict=True))

    for product in SHOP.products:
        expected = COUNTED.prices.get(product, float("nan"))
        assert prices[product] == pytest.approx(expected, nan_ok=True)


def test_the_usual_price_is_the_mean_of_the_account_s_lines_and_of_all_where_it_has_none() -> None:
    for account, price in zip(SNAPSHOT.past.account_ids, SNAPSHOT.accounts.price, strict=True):
        assert price == pytest.approx(COUNTED.usual_price(account), rel=1e-5)
    prices = [log(COUNTED.prices[line.product]) for _, line in COUNTED.bought if line.product in COUNTED.prices]
    assert COUNTED.usual_price("a42") == pytest.approx(sum(prices) / len(prices))


def test_who_never_bought_is_in_no_segment() -> None:
    never = {SNAPSHOT.past.account_ids[row] for row in np.flatnonzero(SNAPSHOT.segment == N_SEGMENTS)}

    assert never == set(SHOP.accounts) - COUNTED.buyers


def test_the_novelty_rate_counts_recent_first_purchases_of_existing_accounts() -> None:
    ages = [(account, age) for (account, _), age in COUNTED.first_ages.items()]
    here = {account for account, age in ages if age > RECENT_DAYS}

    expected = sum(age <= RECENT_DAYS and account in here for account, age in ages)

    assert SNAPSHOT.novelty_rate(2.5) == RecentRate(expected, 2.5 * len(here))


def test_what_comes_later_changes_neither_novelty_rate_nor_prices_nor_segments() -> None:
    alone = snapshot_of(replace(SHOP.before(AS_OF), products=SHOP.products))

    assert alone.novelty_rate(1) == SNAPSHOT.novelty_rate(1)
    for alone_values, full_values in ((alone.prices, SNAPSHOT.prices), (alone.segment, SNAPSHOT.segment)):
        np.testing.assert_array_equal(alone_values, full_values)
    for name, values in vars(alone.accounts).items():
        np.testing.assert_array_equal(values, getattr(SNAPSHOT.accounts, name))


def snapshot_with(rate_of_late: float, n_new: int, seed: int = 1, days: int = 400) -> Snapshot:
    """Four hundred accounts find one of 2,000 products a day with a chance of .05, times a rate in the last 20 days.

    Of n_new others each begins on one of those days, with five at once.
    """
    rng = np.random.default_rng(seed)
    lines: list[Line] = [(f"a{account}", f"begin{account}", "p0", 0, 1) for account in range(400)]
    for day in range(1, days):
        for account in np.flatnonzero(rng.random(400) < 0.05 * (rate_of_late if day >= days - 20 else 1)):
            lines.append((f"a{account}", f"o{len(lines)}", f"p{rng.integers(2_000)}", day, 1))
    for newcomer in range(n_new):
        day = days - 1 - int(rng.integers(20))
        lines += [(f"n{newcomer}", f"o{len(lines)}-{line}", f"p{rng.integers(2_000)}", day, 1) for line in range(5)]
    history = make_history(lines)
    return Snapshot(history.interactions, history.products, history.accounts, START + days * 86_400, HORIZON_DAYS)


@pytest.mark.parametrize("rate", [0.6, 1.0, 1.5])
def test_the_novelty_rate_follows_the_level_however_many_accounts_are_new(rate: float) -> None:
    then, now = snapshot_with(1.0, n_new=0, days=380), snapshot_with(rate, n_new=400)

    ratio = now.novelty_rate(100).ratio_to(then.novelty_rate(100))

    # About 400 recent purchases on either side: the logarithm's error is sqrt(1 / 400 + 1 / (400 rate)), and
    # n = 400 rate / (1 + rate) of them tell n / (n + 50) of it.
    n = 400 * rate / (1 + rate)
    assert log(ratio) == pytest.approx(log(rate) * n / (n + 50), abs=3 / np.sqrt(n))
