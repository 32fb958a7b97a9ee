"""Sum up order lines by account and group of products."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import offsets_of_sorted
from models.artifact import Groups, Holdings
from models.artifact.groups import NO_GROUP
from models.artifact.measures import WINDOW_DAYS
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS


def holdings_of(interactions: Interactions, groups: Groups, as_of_day: int) -> Holdings:
    """Sum up each account's lines by group. Guests, and what is in no group, are left out.

    A group of which an account has only returns stays, with its money: sums of all accounts reconcile to the orders.
    Its first_day is then that of the first return.
    """
    group_of = groups.of_product[interactions.product]
    known = interactions.is_known & (group_of != NO_GROUP)
    n_groups = max(len(groups), 1)
    keys, place = np.unique(
        interactions.account[known].astype(np.int64) * n_groups + group_of[known], return_inverse=True
    )
    day = (interactions.time[known] // DAY_SECONDS).astype(np.int64)
    amount, bought = interactions.amount_minor[known], interactions.quantity[known] > 0
    is_recent = day >= as_of_day - WINDOW_DAYS

    def add(values: NDArray[np.int64], where: NDArray[np.bool_]) -> NDArray[np.int64]:
        sums = np.bincount(place[where], weights=values[where].astype(np.float64), minlength=len(keys))
        return sums.round().astype(np.int64)

    everything = np.ones(len(day), dtype=np.bool_)
    first, last = _ends(day, place, bought, len(keys))
    owner = keys // n_groups
    return Holdings(
        offsets=offsets_of_sorted(owner, interactions.n_accounts),
        group=(keys % n_groups).astype(np.int32),
        first_day=first,
        last_day=last,
        n_lines=np.bincount(place[bought], minlength=len(keys)).astype(np.int32),
        spend_minor=add(amount, everything),
        recent_minor=add(amount, is_recent),
    )


def _ends(
    day: NDArray[np.int64], place: NDArray[np.intp], bought: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First and last day of each place: of purchases, or of any line where there are none."""
    is_never = np.bincount(place[bought], minlength=n) == 0
    is_counted = bought | is_never[place]
    first, last = np.full(n, np.iinfo(np.int32).max), np.full(n, np.iinfo(np.int32).min)
    np.minimum.at(first, place[is_counted], day[is_counted])
    np.maximum.at(last, place[is_counted], day[is_counted])
    return first.astype(np.int32), last.astype(np.int32)
