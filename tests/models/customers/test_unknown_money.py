"""Accounts whose money is not known in the reporting currency: what they bought counts, and no amount is made up."""

from dataclasses import replace

import numpy as np
import pytest

from models.artifact import NO_NUMBER, Customers
from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS
from models.customers.activity import activity_of
from models.customers.history import purchase_history
from models.customers.measure import learn_customers
from models.customers.rfm import rfm_of, segment_codes
from models.data.interactions import Interactions
from models.propensity.groups import spend_between
from tests.models.products.samples import interactions_of

DAY = 86_400
N_ACCOUNTS = 30
AS_OF_DAY = 500
UNKNOWN, PARTLY = 3, 4


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """Thirty accounts that buy at random; no money is known of one, and half of another's."""
    rng = np.random.default_rng(1)
    baskets = [
        (account, int(day), [0])
        for account in range(N_ACCOUNTS)
        for day in np.unique(rng.integers(0, 400, 4 + account % 9))
    ]
    made = interactions_of(baskets, 2)
    made.amount_minor[:] = rng.integers(100, 9_000, made.n_lines)
    unconverted = (made.account == UNKNOWN) | ((made.account == PARTLY) & (made.order % 2 == 0))
    made.amount_minor[unconverted] = 0
    return replace(made, unconverted=unconverted)


def as_of(interactions: Interactions) -> int:
    return (int(interactions.time.min()) // DAY + AS_OF_DAY) * DAY


@pytest.fixture(scope="module")
def customers(interactions: Interactions) -> Customers:
    return learn_customers(interactions, as_of(interactions))[0]


def test_no_amount_of_it_is_estimated_and_purchases_are(customers: Customers) -> None:
    assert np.isnan(customers.value[UNKNOWN]).all()
    assert np.isnan(customers.purchase_spend[UNKNOWN])
    assert np.isfinite(customers.purchases[UNKNOWN]).all()
    assert np.isfinite(customers.is_alive[UNKNOWN])
    others = np.arange(N_ACCOUNTS) != UNKNOWN
    assert np.isfinite(customers.value[others]).all()


def test_it_is_in_no_tier_and_has_no_quintile_of_money(customers: Customers) -> None:
    assert customers.revenue_tier[UNKNOWN] == customers.value_tier[UNKNOWN] == NOT_SEGMENTED
    assert customers.rfm[UNKNOWN, 2] == 0
    assert (np.delete(customers.rfm[:, 2], UNKNOWN) > 0).all()
    recency, frequency, _ = customers.rfm[UNKNOWN][:, None]
    assert customers.rfm_segment[UNKNOWN] == segment_codes(recency, frequency, frequency)[0]
    assert 0 <= customers.rfm_segment[UNKNOWN] < len(RFM_SEGMENTS)


def test_the_others_are_ranked_among_those_whose_money_is_known(interactions: Interactions) -> None:
    everyone = rfm_of(purchase_history(interactions, as_of(interactions)))
    without = interactions.select(interactions.account != UNKNOWN)

    others = rfm_of(purchase_history(without, as_of(interactions)))

    kept = np.arange(N_ACCOUNTS) != UNKNOWN
    np.testing.assert_array_equal(everyone.monetary[kept], others.monetary[kept])


def test_unknown_lines_are_counted_account_by_account(interactions: Interactions, customers: Customers) -> None:
    expected = np.bincount(interactions.account[interactions.is_unconverted], minlength=N_ACCOUNTS)

    assert customers.unconverted_lines.tolist() == expected.tolist()
    assert np.flatnonzero(~customers.is_money_known).tolist() == [UNKNOWN]
    assert customers.spend_minor[PARTLY] == interactions.amount_minor[interactions.account == PARTLY].sum()


def test_the_usual_spend_of_a_partly_known_account_is_that_of_its_known_purchases(interactions: Interactions) -> None:
    history = purchase_history(interactions, as_of(interactions))

    lines = np.flatnonzero((interactions.account == PARTLY) & ~interactions.is_unconverted)
    first = interactions.time[interactions.account == PARTLY].min()
    later = lines[interactions.time[lines] > first]
    assert history.n_valued[PARTLY] == len(later) < history.n_repeat[PARTLY]
    assert history.mean_spend[PARTLY] == pytest.approx(interactions.amount_minor[later].mean())


def test_days_tell_how_many_of_their_orders_have_unknown_money(interactions: Interactions) -> None:
    activity = activity_of(interactions, np.full(2, NO_NUMBER))

    totals = np.bincount(activity.owner(), activity.unconverted_orders, N_ACCOUNTS)
    n_orders = np.bincount(interactions.account[interactions.is_unconverted], minlength=N_ACCOUNTS)
    assert totals.tolist() == n_orders.tolist()
    assert (activity.unconverted_orders <= activity.orders).all()


def test_what_is_spent_on_a_group_is_unknown_where_a_part_of_it_is(interactions: Interactions) -> None:
    begin = int(interactions.time.min())

    spend = spend_between(interactions, np.zeros(2, dtype=np.int32), 1, begin, AS_OF_DAY).toarray()[:, 0]

    assert np.flatnonzero(np.isnan(spend)).tolist() == [UNKNOWN, PARTLY]
    assert spend[0] == interactions.amount_minor[interactions.account == 0].sum()
