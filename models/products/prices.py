"""Unit prices of products: the catalogue's, or what was paid."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import median_of_groups
from models.artifact import NO_NUMBER, Products
from models.data.interactions import Interactions


def unit_prices(interactions: Interactions, products: Products) -> NDArray[np.float64]:
    """Return float64 (n_products,), in minor units: the catalogue's price, or the median paid per unit, or else NaN.

    Lines without an amount and returns are ignored.
    """
    paid = np.flatnonzero((interactions.quantity > 0) & (interactions.amount_minor > 0))
    product = interactions.product[paid]
    per_unit = interactions.amount_minor[paid] / interactions.quantity[paid]
    prices = median_of_groups(per_unit, product, interactions.n_products)
    listed = products.prices_minor != NO_NUMBER
    prices[listed] = products.prices_minor[listed]
    prices[prices <= 0] = np.nan
    return prices
