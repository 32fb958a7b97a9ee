"""The Complete Journey data as arrays: order lines in time order, campaigns, who received them, what was redeemed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

TABLES: dict[str, tuple[str, ...]] = {
    "transactions": (
        "household_id", "basket_id", "product_id", "sales_value", "coupon_disc", "transaction_timestamp",
    ),
    "campaigns": (),
    "coupon_redemptions": (),
    "coupons": (),
    "products": ("product_id", "product_category"),
    "demographics": ("household_id", "income", "household_size"),
}  # fmt: skip
"""The columns that are read of each table; of those that name none, all."""
INCOMES = (
    "Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K", "100-124K", "125-149K", "150-174K", "175-199K",
    "200-249K", "250K+",
)  # fmt: skip
UNKNOWN = -1


@dataclass(frozen=True)
class Lines:
    """Order lines in time order; households and products are rows, times epoch seconds."""

    household: Ints
    product: Ints
    time: Ints
    spend: Floats
    has_coupon: Bools
    is_visit: Bools
    """The first line of its basket."""
    is_coupon_visit: Bools
    """The first line of its basket that a coupon made cheaper."""


@dataclass(frozen=True)
class Journey:
    """Households, products and campaigns are rows; campaigns are in the order of their starts."""

    lines: Lines
    n_households: int
    categories: Ints
    """Of each product."""
    kinds: NDArray[np.str_]
    """Of each campaign: A, B or C."""
    starts: Ints
    ends: Ints
    received: tuple[Ints, Ints]
    """Household and campaign of each mailing."""
    redeemed: tuple[Ints, Ints, Ints]
    """Household, campaign and time of each redemption."""
    coupons: tuple[Ints, Ints, Ints]
    """Coupon, product and campaign of each link."""
    incomes: Ints
    sizes: Ints
    """Of each household: a band of income, and how many live there; UNKNOWN where the data do not say."""


def load_journey(folder: Path) -> Journey:
    """Read the tables of the package from its folder of Parquet files."""
    lines, mailings, redemptions, coupons, products, people = (
        _columns(folder / f"{name}.parquet", names) for name, names in TABLES.items()
    )
    campaigns = _by_start(_columns(folder / "campaign_descriptions.parquet", ()))
    households = np.unique(np.concatenate([lines["household_id"], mailings["household_id"]]))
    product_ids = np.unique(np.concatenate([lines["product_id"], coupons["product_id"], products["product_id"]]))
    place = np.argsort(campaigns["campaign_id"])

    def row_of(campaign: Ints) -> Ints:
        return np.asarray(place[np.searchsorted(campaigns["campaign_id"][place], campaign)])

    return Journey(
        lines=_lines(lines, households, product_ids),
        n_households=len(households),
        categories=_categories(products, product_ids),
        kinds=np.array([name[-1] for name in campaigns["campaign_type"]]),
        starts=_seconds(campaigns["start_date"]),
        ends=_seconds(campaigns["end_date"]),
        received=(np.searchsorted(households, mailings["household_id"]), row_of(mailings["campaign_id"])),
        redeemed=(
            np.searchsorted(households, redemptions["household_id"]),
            row_of(redemptions["campaign_id"]),
            _seconds(redemptions["redemption_date"]),
        ),
        coupons=(
            np.unique(coupons["coupon_upc"], return_inverse=True)[1],
            np.searchsorted(product_ids, coupons["product_id"]),
            row_of(coupons["campaign_id"]),
        ),
        incomes=_by_household(
            people, households, [INCOMES.index(income) if income else UNKNOWN for income in people["income"]]
        ),
        sizes=_by_household(
            people, households, [int(size[0]) if size else UNKNOWN for size in people["household_size"]]
        ),
    )


def _by_start(campaigns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    order = np.lexsort((campaigns["campaign_id"], campaigns["start_date"]))
    return {name: values[order] for name, values in campaigns.items()}


def _columns(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    table = pq.read_table(path, columns=list(names) or None)
    return {name: table[name].to_numpy() for name in table.column_names}


def _seconds(times: NDArray[Any]) -> Ints:
    return np.asarray(times.astype("datetime64[s]").astype(np.int64))


def _lines(table: dict[str, NDArray[Any]], households: Ints, product_ids: Ints) -> Lines:
    time = _seconds(table["transaction_timestamp"])
    order = np.argsort(time, kind="stable")
    table = {name: values[order] for name, values in table.items()}
    has_coupon = table["coupon_disc"] > 0
    return Lines(
        household=np.searchsorted(households, table["household_id"]),
        product=np.searchsorted(product_ids, table["product_id"]),
        time=time[order],
        spend=table["sales_value"],
        has_coupon=has_coupon,
        is_visit=_first_of_each(table["basket_id"], np.ones(len(order), dtype=np.bool_)),
        is_coupon_visit=_first_of_each(table["basket_id"], has_coupon),
    )


def _first_of_each(basket: Ints, is_counted: Bools) -> Bools:
    """The first line of each basket among those that count."""
    rows = np.flatnonzero(is_counted)
    is_first = np.zeros(len(basket), dtype=np.bool_)
    is_first[rows[np.unique(basket[rows], return_index=True)[1]]] = True
    return is_first


def _categories(products: dict[str, NDArray[Any]], product_ids: Ints) -> Ints:
    """The category of each product; those without one share one."""
    names = np.array([name or "" for name in products["product_category"]])
    categories = np.zeros(len(product_ids), dtype=np.int64)
    categories[np.searchsorted(product_ids, products["product_id"])] = np.unique(names, return_inverse=True)[1] + 1
    return categories


def _by_household(people: dict[str, NDArray[Any]], households: Ints, values: list[int]) -> Ints:
    known = np.full(len(households), UNKNOWN)
    known[np.searchsorted(households, people["household_id"])] = values
    return known
