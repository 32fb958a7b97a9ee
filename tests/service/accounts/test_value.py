"""The value of an account, as an artifact gives it."""

from dataclasses import replace
from datetime import date

import numpy as np
import orjson
import pytest

from models.artifact import Content
from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, Customers
from models.artifact.dimensions import ACCOUNTS
from models.customers.measure import learn_customers
from models.data.interactions import GUEST, Interactions
from service.accounts.value import value_of
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from service.segments.answers import describe_account
from tests.artifacts import IN_EUROS, coffee_world, content_of

DAY = 86_400
N_ACCOUNTS = 40
AS_OF = 400


@pytest.fixture(scope="module")
def content() -> Content:
    """Forty accounts, the first of which buys weekly, the last but one once, and the last never."""
    random = np.random.default_rng(0)
    events = [(0, 200 + 7 * week, 500) for week in range(28)] + [(N_ACCOUNTS - 2, 100, 900), (GUEST, 150, 77)]
    for account in range(1, N_ACCOUNTS - 2):
        bought = np.unique(random.integers(30, AS_OF, 1 + account % 7)).tolist()
        events += [(account, day, int(random.integers(100, 5_000))) for day in bought]
    whose, days, amounts = (np.array(column) for column in zip(*events, strict=True))
    world = replace(coffee_world(), owned={f"a{number}": ["beans"] for number in range(N_ACCOUNTS)})
    made = content_of(world)
    rows = np.array([made.account_ids.row_of(f"a{number}") for number in range(N_ACCOUNTS)])
    interactions = Interactions(
        account=np.where(whose == GUEST, GUEST, rows[whose]).astype(np.int32),
        product=np.zeros(len(whose), dtype=np.int32),
        order=np.arange(len(whose), dtype=np.int32),
        time=days.astype(np.int64) * DAY,
        quantity=np.ones(len(whose), dtype=np.float32),
        amount_minor=amounts.astype(np.int64),
        account_ids=np.array(list(made.account_ids.texts), dtype=object),
        product_ids=np.array(["beans"], dtype=object),
        order_count=len(whose),
    )
    customers, described = learn_customers(interactions, AS_OF * DAY)
    return replace(made, customers=customers, report=orjson.dumps({"customers": described}))


def catalog_of(content: Content) -> SegmentCatalog:
    """The segment catalog of an artifact."""
    return SegmentCatalog(content, "v", SegmentMembership(content, AS_OF, {}))


def test_an_account_s_value_comes_with_the_figures_behind_it(content: Content) -> None:
    value = value_of(catalog_of(content), "a0")

    assert value is not None
    assert (value.purchase_days, value.spend_minor) == (28, 28 * 500)
    assert (value.first_purchase_on, value.last_purchase_on) == (date(1970, 7, 20), date(1971, 1, 25))
    assert (value.usual_gap_days, value.next_purchase_on, value.is_contractual) == (7, date(1971, 2, 1), True)
    assert value.rfm.segment in RFM_SEGMENTS
    assert value.rfm.frequency == 5
    assert value.is_alive is not None
    assert value.is_alive > 0.9
    assert [expected.days for expected in value.expected_purchases] == [30, 90, 365]
    assert value.value_ahead is not None
    assert value.value_ahead.low_minor is not None
    assert value.value_ahead.high_minor is not None
    assert value.value_ahead.low_minor <= value.value_ahead.expected_minor <= value.value_ahead.high_minor


def test_figures_that_need_more_than_one_purchase_are_null(content: Content) -> None:
    value = value_of(catalog_of(content), f"a{N_ACCOUNTS - 2}")

    assert value is not None
    assert (value.purchase_days, value.usual_gap_days, value.next_purchase_on) == (1, None, None)
    assert not value.is_contractual


def test_who_never_bought_or_is_not_known_has_no_value(content: Content) -> None:
    assert value_of(catalog_of(content), f"a{N_ACCOUNTS - 1}") is None
    assert value_of(catalog_of(content), "nobody") is None


def test_an_artifact_that_knows_nothing_of_customers_gives_none(content: Content) -> None:
    bare = replace(content, customers=Customers.empty({ACCOUNTS: N_ACCOUNTS}), report=b"{}")

    assert value_of(catalog_of(bare), "a0") is None


def test_money_that_is_not_known_is_null_and_says_how_many_lines_it_lacks(content: Content) -> None:
    row = content.account_ids.row_of("a0")
    customers, n = content.customers, len(content.customers)
    is_it = np.arange(n) == row
    unknown = replace(
        customers,
        is_money_known=~is_it,
        unconverted_lines=np.where(is_it, 28, 0).astype(np.int32),
        spend_minor=np.where(is_it, 0, customers.spend_minor),
        rfm=np.where(is_it[:, None] & [False, False, True], 0, customers.rfm).astype(np.int8),
        revenue_tier=np.where(is_it, NOT_SEGMENTED, customers.revenue_tier).astype(np.int8),
        value=np.where(is_it[:, None], np.nan, customers.value).astype(np.float32),
    )
    report = orjson.loads(content.report) | {"currency": IN_EUROS}
    catalog = catalog_of(replace(content, customers=unknown, report=orjson.dumps(report)))

    value, other = value_of(catalog, "a0"), value_of(catalog, "a1")

    assert value is not None
    assert (value.currency, value.spend_minor, value.unconverted_lines) == ("EUR", None, 28)
    assert (value.rfm.monetary, value.revenue_tier, value.value_ahead) == (None, None, None)
    assert value.purchase_days == 28
    assert other is not None
    spent = int(customers.spend_minor[content.account_ids.row_of("a1")])
    assert (other.unconverted_lines, other.spend_minor) == (0, spent)
    listed = describe_account(catalog, int(row or 0), None)
    assert (listed["spend_minor"], listed["unconverted_lines"], listed["currency"]) == (None, 28, "EUR")
