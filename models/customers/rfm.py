"""Recency, frequency and money in quintiles, and the eleven segments that are read from them.

The quintiles are Hughes' (Strategic Database Marketing, 1994); the segments' names are those in common use. Whose names
there are several tables: ours is below, one cell for each pair of quintiles.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS
from models.customers.history import PurchaseHistory

QUINTILES: Final = 5

_TABLE: Final = (
    # How much and how often: 1 (least)  2                     3                     4              5 (most)
    ("Lost", "Hibernating", "At Risk", "Cannot Lose", "Cannot Lose"),  # recency 1: longest ago
    ("Hibernating", "About To Sleep", "At Risk", "At Risk", "Cannot Lose"),
    ("About To Sleep", "Need Attention", "Need Attention", "Loyal", "Loyal"),
    ("Promising", "Potential Loyalist", "Potential Loyalist", "Loyal", "Champions"),
    ("New", "Potential Loyalist", "Potential Loyalist", "Champions", "Champions"),  # recency 5: latest
)
_CODES: Final[NDArray[np.int8]] = np.array(
    [[RFM_SEGMENTS.index(name) for name in row] for row in _TABLE], dtype=np.int8
)


@dataclass(frozen=True)
class Rfm:
    """One entry per account; 0 and NOT_SEGMENTED for those that never bought.

    recency, frequency, monetary: int8 (A,), quintiles 1 to 5, the best being 5; monetary is 0 where no money is known,
    too. segment: int8 (A,), see RFM_SEGMENTS.
    """

    recency: NDArray[np.int8]
    frequency: NDArray[np.int8]
    monetary: NDArray[np.int8]
    segment: NDArray[np.int8]


def rfm_of(history: PurchaseHistory) -> Rfm:
    """Rank the accounts that bought by days since the last purchase, number of purchases, and spend.

    An account whose money is not known has no quintile of it, and its segment is read from how often it bought alone.
    """
    bought = history.has_bought
    valued = bought & history.is_money_known
    since_last = history.age_days - history.last_days
    recency, frequency, monetary = np.zeros((3, len(bought)), dtype=np.int8)
    recency[bought] = quintiles(-since_last[bought])
    frequency[bought] = quintiles(history.n_purchases[bought])
    monetary[valued] = quintiles(history.spend[valued])
    segment = np.full(len(bought), NOT_SEGMENTED, dtype=np.int8)
    weighed = np.where(valued, monetary, frequency)
    segment[bought] = segment_codes(recency[bought], frequency[bought], weighed[bought])
    return Rfm(recency, frequency, monetary, segment)


def quintiles(values: NDArray[np.generic]) -> NDArray[np.int8]:
    """Return int8 (n,): 1 for the lowest fifth, 5 for the highest.

    Equal values get the same quintile, that of their mean rank: where half of all accounts bought once, all of these
    have a 2 in frequency, and no 1 is given. So fewer than five accounts do not fill every fifth either; one alone is
    a 3.
    """
    n = len(values)
    if n == 0:
        return np.zeros(0, dtype=np.int8)
    middle = (rankdata(values, method="average") - 0.5) / n
    quintile: NDArray[np.int8] = np.minimum(np.floor(middle * QUINTILES) + 1, QUINTILES).astype(np.int8)
    return quintile


def segment_codes(
    recency: NDArray[np.int8], frequency: NDArray[np.int8], monetary: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Return int8 (n,), positions in RFM_SEGMENTS. Frequency and money have equal weight; half a step is rounded up."""
    both: NDArray[np.int64] = (frequency.astype(np.int64) + monetary + 1) // 2
    codes: NDArray[np.int8] = _CODES.ravel().take((recency.astype(np.int64) - 1) * QUINTILES + both - 1)
    return codes
