"""What selling one unit of a product is worth: its expected margin in the reporting currency."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from service.readmodel.product_index import ProductIndex
from service.readmodel.text_codes import NO_TEXT

MARGIN, CATEGORY_RATE, LINE_RATE, DEFAULT_RATE, TYPICAL, NO_VALUE = range(6)
BASES: Final = {
    "margin": "its margin is known",
    "category-margin-rate": "its price times the mean margin rate of its category",
    "line-margin-rate": "its price times the mean margin rate of its line",
    "default-margin-rate": "its price times `NEXTOFFER_DEFAULT_MARGIN_RATE`",
    "typical-value": "its price is not known, or can't be converted: the median product of its category, or of all",
    "none": "no price is known of any product: each counts as 1",
}
BASIS_NAMES: Final = tuple(BASES)
"""What each value rests on, by its number."""
MIN_WITH_MARGIN: Final = 3
"""Products of a category or line with a known margin, from which its rate is taken."""
WITHOUT_VALUE: Final = 1.0
"""The value of every product where no price is known: offers are then ranked by propensity alone."""


@dataclass(frozen=True)
class ProductValues:
    """Values of P products.

    value: float64 (P,), whole minor units of the reporting currency. basis: int8 (P,), a position in BASIS_NAMES.
    currency: the reporting currency.
    """

    value: NDArray[np.float64]
    basis: NDArray[np.int8]
    currency: str | None


def measure_values(products: ProductIndex, margin_rate: float, max_ratio: float) -> ProductValues:
    """Value every product: its margin; else its price times the margin rate of its category, its line, or all.

    A product without a price is worth what the median product of its category is, or else of all. A known margin of 0
    is 0. margin_rate: where no rate can be learned. max_ratio: a value above this multiple of the median of positive
    values is lowered to it, so that one dear product, or one wrong price, does not come first everywhere.
    """
    currency = products.content.currency
    factor = products.currencies.mapped(currency.minor_factors)
    price, value = _known(products.price) * factor, _known(products.margin) * factor
    rate = np.where(price > 0, np.clip(value / np.where(price > 0, price, 1), 0, 1), np.nan)
    category, line = products.categories.codes, products.lines.codes
    basis = np.where(np.isnan(value), NO_VALUE, MARGIN).astype(np.int8)
    _fill(value, basis, price * _mean_of_group(category, rate), CATEGORY_RATE)
    _fill(value, basis, price * _mean_of_group(line, rate), LINE_RATE)
    _fill(value, basis, price * margin_rate, DEFAULT_RATE)
    if np.isnan(value).all():
        return ProductValues(np.full(len(value), WITHOUT_VALUE), basis, currency.code)
    _fill(value, basis, _median_of_group(category, value), TYPICAL)
    _fill(value, basis, np.full(len(value), np.nanmedian(value)), TYPICAL)
    if (value > 0).any():
        value = np.minimum(value, max_ratio * np.median(value[value > 0]))
    return ProductValues(np.rint(value), basis, currency.code)


def _known(minor: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(minor == NO_NUMBER, np.nan, minor.astype(np.float64))


def _mean_of_group(groups: NDArray[np.int32], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (P,): the mean of each product's group; NaN where fewer than MIN_WITH_MARGIN are known."""
    is_known = ~np.isnan(values) & (groups != NO_TEXT)
    n_groups = int(groups.max(initial=0)) + 1
    n = np.bincount(groups[is_known], minlength=n_groups)
    total = np.bincount(groups[is_known], weights=values[is_known], minlength=n_groups)
    return np.where(n >= MIN_WITH_MARGIN, total / np.maximum(n, 1), np.nan)[groups]


def _median_of_group(groups: NDArray[np.int32], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 (P,): the median of the known values of each product's group; NaN where none is."""
    known = np.flatnonzero(~np.isnan(values) & (groups != NO_TEXT))
    ordered = known[np.lexsort((values[known], groups[known]))]
    medians = np.full(int(groups.max(initial=0)) + 1, np.nan)
    codes, starts, counts = np.unique(groups[ordered], return_index=True, return_counts=True)
    low, high = ordered[starts + (counts - 1) // 2], ordered[starts + counts // 2]
    medians[codes] = (values[low] + values[high]) / 2
    return np.asarray(medians[groups])


def _fill(value: NDArray[np.float64], basis: NDArray[np.int8], others: NDArray[np.float64], named: int) -> None:
    """Put values in the place of those that are not known yet."""
    is_filled = np.isnan(value) & ~np.isnan(others)
    value[is_filled], basis[is_filled] = others[is_filled], named
