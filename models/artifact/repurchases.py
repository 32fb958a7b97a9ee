"""Repurchases: when accounts bought last what they own, and after how many days products are bought again."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import OWNED, PRODUCTS
from models.artifact.sections import Section, Shape

NO_INTERVAL, OF_PRODUCT, OF_CATEGORY = range(3)
"""What a learned interval rests on."""
NO_DAY = int(np.iinfo(np.int32).min)
"""The day of a purchase whose day is not known."""


@dataclass(frozen=True)
class Repurchases(Section):
    """When what is owned was bought last, and what is known of buying products again.

    last_days:       of each owned product, aligned with ``Content.owned_products``: the day of the last purchase, days
                     since 1970 in the manifest's time zone.
    interval_days:   median days between two purchases of the product by one account, on different days; NaN where it is
                     not known. interval_bases: OF_PRODUCT; or OF_CATEGORY, where too few accounts bought the product
                     again, the median over all products of its category; or NO_INTERVAL.
    rates:           P(an account that owns the product buys it again within the horizon), averaged over its owners: for
                     accounts that came to own it since training. NaN where nothing was learned.
    """

    last_days: Annotated[NDArray[np.int32], Shape(OWNED, empty=NO_DAY)]
    interval_days: Annotated[NDArray[np.float32], Shape(PRODUCTS, empty=np.nan)]
    interval_bases: Annotated[NDArray[np.uint8], Shape(PRODUCTS)]
    rates: Annotated[NDArray[np.float32], Shape(PRODUCTS, empty=np.nan)]
