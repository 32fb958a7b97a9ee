"""From order lines to the days on which each account bought."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import distinct_keys, offsets_of_sorted
from models.artifact import NO_NUMBER, Activity
from models.artifact.dimensions import ACCOUNTS
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS


def activity_of(interactions: Interactions, margins_minor: NDArray[np.int64]) -> Activity:
    """Sum up each account's lines by day. Guests are left out.

    margins_minor: int64 (n_products,), of one unit in the reporting currency, NO_NUMBER where it is not known: then it
                   adds nothing.
    """
    known = interactions.is_known
    account, day = interactions.account[known].astype(np.int64), interactions.time[known] // DAY_SECONDS
    if not len(day):
        return Activity.empty({ACCOUNTS: interactions.n_accounts})
    first_day, n_days = int(day.min()), int(day.max() - day.min()) + 1
    keys, place = np.unique(account * n_days + (day - first_day), return_inverse=True)
    margin = np.where(margins_minor == NO_NUMBER, 0, margins_minor)[interactions.product[known]]
    quantity = interactions.quantity[known].astype(np.float64)
    owner = keys // n_days
    unconverted = place[interactions.is_unconverted[known]]

    def add(values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.bincount(place, weights=values, minlength=len(keys)).round().astype(np.int64)

    return Activity(
        offsets=offsets_of_sorted(owner, interactions.n_accounts),
        day=(keys % n_days + first_day).astype(np.int32),
        orders=_orders_by_day(interactions, known, place, len(keys)),
        unconverted_orders=_orders_by_day(interactions, known & interactions.is_unconverted, unconverted, len(keys)),
        spend_minor=add(interactions.amount_minor[known].astype(np.float64)),
        margin_minor=add(margin * quantity),
    )


def _orders_by_day(
    interactions: Interactions, which: NDArray[np.bool_], place: NDArray[np.intp], n_places: int
) -> NDArray[np.int32]:
    """Count, for each account and day, the orders in which something was bought.

    which: bool (n_lines,), the lines that count. place: the account and day of each of them.

    Nearly every order has one day, so that each is counted at the place of one of its lines, and lines of its other
    days separately. Sorting all lines by place and order would take most of the time.
    """
    bought = interactions.quantity[which] > 0
    order, place = interactions.order[which][bought].astype(np.int64), place[bought]
    place_of = np.full(interactions.order_count, -1, dtype=np.int64)
    place_of[order] = place
    counts = np.bincount(place_of[place_of >= 0], minlength=n_places)
    differs = place_of[order] != place
    others = distinct_keys(place[differs] * np.int64(interactions.order_count) + order[differs])
    return (counts + np.bincount(others // interactions.order_count, minlength=n_places)).astype(np.int32)
