"""What a unit of each product costs: the catalogue's word, or what was paid."""

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, Products
from models.data.interactions import Interactions


def unit_prices(interactions: Interactions, products: Products) -> NDArray[np.float64]:
    """Return float64 (n_products,), in minor units: the catalogue's price, or the median paid per unit, or else NaN.

    Lines without an amount and returns tell nothing.
    """
    paid = np.flatnonzero((interactions.quantity > 0) & (interactions.amount_minor > 0))
    product = interactions.product[paid]
    per_unit = interactions.amount_minor[paid] / interactions.quantity[paid]
    order = np.lexsort((per_unit, product))
    counts = np.bincount(product, minlength=interactions.n_products)
    starts = np.cumsum(counts) - counts
    known = np.flatnonzero(counts)
    ordered = per_unit[order]
    prices = np.full(interactions.n_products, np.nan)
    low, high = starts[known] + (counts[known] - 1) // 2, starts[known] + counts[known] // 2
    prices[known] = (ordered[low] + ordered[high]) / 2
    listed = products.prices_minor != NO_NUMBER
    prices[listed] = products.prices_minor[listed]
    prices[prices <= 0] = np.nan
    return prices
