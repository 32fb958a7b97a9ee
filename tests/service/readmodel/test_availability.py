"""Which products can be had now."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.readmodel.availability import ALWAYS, Availability, ProductAvailability
from service.readmodel.product_index import ProductRow

START = datetime(2024, 3, 1, tzinfo=UTC)
times = st.none() | st.integers(0, 20).map(lambda hours: START + timedelta(hours=hours))
bounds = st.builds(ProductAvailability, times, times, st.none() | st.sampled_from([-1.0, 0.0, 0.5, 3.0]))


def test_a_product_can_be_had_from_its_first_moment_until_just_before_its_last() -> None:
    hour = timedelta(hours=1)
    bounded = ProductAvailability(START, START + hour)

    can_be_had = [bounded.is_in_time(time) for time in (START - hour, START, START + hour / 2, START + hour)]

    assert can_be_had == [False, True, True, False]


@given(st.lists(bounds, min_size=1, max_size=6), st.lists(st.integers(0, 21), min_size=1, max_size=8))
def test_what_is_kept_between_two_bounds_is_what_would_be_worked_out_anew(
    products: list[ProductAvailability], hours: list[int]
) -> None:
    availability = Availability(
        len(products), {ProductRow(row): given for row, given in enumerate(products) if given != ALWAYS}
    )

    for hour in hours:
        now = START + timedelta(hours=hour)
        unavailable = availability.unavailable_at(now)

        if unavailable is None:
            assert set(products) == {ALWAYS}
            continue
        assert unavailable.is_sold_out.tolist() == [given.is_sold_out for given in products]
        assert unavailable.is_out_of_time.tolist() == [not given.is_in_time(now) for given in products]


def test_a_change_replaces_the_bounds_of_the_products_that_it_names() -> None:
    sold_out = ProductAvailability(stock=0)
    before = Availability(3, {ProductRow(0): sold_out, ProductRow(1): sold_out})

    after = before.with_changes({ProductRow(1): ALWAYS, ProductRow(2): sold_out})
    none = after.with_changes({ProductRow(0): ALWAYS, ProductRow(2): ALWAYS})

    unavailable = after.unavailable_at(START)
    assert unavailable is not None
    assert np.array_equal(unavailable.is_sold_out, [True, False, True])
    assert none.unavailable_at(START) is None
