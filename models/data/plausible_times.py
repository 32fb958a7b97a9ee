"""Which order lines are of plausible times: one mistyped year must not decide what "now" is."""

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS

DAYS_AHEAD = 2
"""Clocks and time zones differ by less."""
GAP_SECONDS = 3653 * DAY_SECONDS
"""Lines that ten years without any line part from the rest are outliers ..."""
MAX_OUTLIER_SHARE = 0.2
"""... if they are fewer than this share of all."""
MAX_LISTED = 3


def is_plausible(time: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
    """Whether each line is neither in the future nor decades from nearly all others; shape (n_lines,).

    time: local seconds, shape (n_lines,), as ``now``.
    """
    is_past = time < now + DAYS_AHEAD * DAY_SECONDS
    if not is_past.any():
        return is_past
    begin, end = time[is_past].min(), time[is_past].max()
    if end - begin <= GAP_SECONDS:
        return is_past
    ordered = np.sort(time[is_past])
    for gap in np.flatnonzero(np.diff(ordered) > GAP_SECONDS).tolist():
        if gap + 1 < MAX_OUTLIER_SHARE * len(ordered):
            begin = ordered[gap + 1]
        elif len(ordered) - gap - 1 < MAX_OUTLIER_SHARE * len(ordered):
            end = ordered[gap]
            break
    plausible: NDArray[np.bool_] = (time >= begin) & (time <= end)
    return plausible


def describe_left_out(interactions: Interactions, is_kept: NDArray[np.bool_]) -> str:
    """Lines that were left out, in words: how many, and some of their days and products."""
    left_out = np.flatnonzero(~is_kept)
    days = np.unique(interactions.time[left_out] // DAY_SECONDS)
    shown = [str(np.datetime64(int(day), "D")) for day in days[:MAX_LISTED]]
    more = f" and {len(days) - MAX_LISTED} more days" if len(days) > MAX_LISTED else ""
    line = left_out[0]
    account = interactions.account[line]
    buyer = "a guest" if account < 0 else f"account {interactions.account_ids[account]}"
    product = interactions.product_ids[interactions.product[line]]
    noun = "order line was" if len(left_out) == 1 else "order lines were"
    return (
        f"{len(left_out):,} {noun} left out, dated in the future or decades from nearly all others ({', '.join(shown)}"
        f"{more}), such as {product} of {buyer}; correct the orders, or name a date with --as-of"
    )
