"""What the benchmarks run on: the demo's real lines, and a synthetic history to show how cost grows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.demo.dataset import package_folder

YEAR_SECONDS = 365 * 86_400
START = 1_700_000_000
SYNTHETIC_SIZES = ((50_000, 20_000, 1_250_000), (200_000, 20_000, 5_000_000))
"""Accounts, products and order lines, to show how cost grows."""


def demo_lines(target: Path) -> Path:
    """Write the demo's order lines under our column names as Parquet."""
    table = pq.read_table(package_folder() / "transactions.parquet")
    names = {"household_id": "account_id", "basket_id": "order_id", "transaction_timestamp": "ordered_at"}
    kept = table.select([*names, "product_id", "quantity"]).rename_columns([*names.values(), "product_id", "quantity"])
    cents = pc.cast(pc.round(pc.multiply(table["sales_value"], 100)), pa.int64())
    pq.write_table(kept.append_column("amount_minor", cents), target)
    return target


def synthetic_lines(target: Path, accounts: int, products: int, lines: int, seed: int = 1) -> Path:
    """Write a year of orders by accounts of 50 tastes: products are drawn by a Zipf law within the account's taste."""
    rng = np.random.default_rng(seed)
    account = np.sort((rng.random(lines) ** 1.5 * accounts).astype(np.int64))
    account = np.repeat(account[::4], 4)[:lines]  # an order belongs to one account
    taste = (account * 7919) % 50
    rank = np.minimum((rng.pareto(1.1, lines) * 8).astype(np.int64), products - 1)
    product = np.where(rng.random(lines) < 0.7, (rank * 50 + taste) % products, rank)
    seconds = START + (rng.random(lines) * YEAR_SECONDS).astype(np.int64)
    table = {"account_id": account, "order_id": np.arange(lines) // 4, "product_id": product}
    pq.write_table(pa.table(table | {"ordered_at": np.repeat(seconds[::4], 4)[:lines]}), target)
    return target
