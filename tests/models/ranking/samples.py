"""Random sales histories, and the real one, as the rankers' tests read them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.data.interactions import Interactions
from tests.models.histories import DAY, START

AS_OF = START + 200 * DAY


def random_interactions(seed: int, n_accounts: int = 40, n_products: int = 25, n_lines: int = 600) -> Interactions:
    """Orders of two taste groups, one guest in ten, one return in twenty."""
    rng = np.random.default_rng(seed)
    order = np.sort(rng.integers(0, n_lines // 4, n_lines)).astype(np.int32)
    account = rng.integers(-(n_accounts // 10), n_accounts, n_lines // 4)[order]
    half = n_products // 2
    product = np.where(account % 2, rng.integers(0, half + 3, n_lines), rng.integers(half - 3, n_products, n_lines))
    return Interactions(
        account=np.maximum(account, -1).astype(np.int32),
        product=product.astype(np.int32),
        order=order,
        time=START + rng.integers(0, 200, n_lines // 4)[order] * DAY,
        quantity=np.where(rng.random(n_lines) < 0.05, -1, 1).astype(np.float32),
        amount_minor=np.full(n_lines, 100, dtype=np.int64),
        account_ids=np.array([f"a{i}" for i in range(n_accounts)], dtype=object),
        product_ids=np.array([f"p{i}" for i in range(n_products)], dtype=object),
        order_count=n_lines // 4,
    )


def online_retail(folder: Path, has_guests: bool) -> Interactions:
    """Positive lines of codes of five digits and letters, as the reference points were measured."""
    table = pq.read_table(folder / "online_retail.parquet")
    keep = pc.and_(pc.greater(table["quantity"], 0), pc.greater(table["unit_price"], 0))
    keep = pc.and_(keep, pc.match_substring_regex(table["stock_code"], "^[0-9]{5}[A-Za-z]*$"))
    table = table.filter(keep if has_guests else pc.and_(keep, pc.is_valid(table["customer_id"])))
    accounts, account = codes(pc.cast(table["customer_id"], pa.string()))
    products, product = codes(table["stock_code"])
    orders, order = codes(table["invoice_no"])
    return Interactions(
        account=account,
        product=product,
        order=order,
        time=pc.cast(pc.cast(table["invoice_date"], pa.timestamp("s")), pa.int64()).to_numpy(),
        quantity=table["quantity"].to_numpy().astype(np.float32),
        amount_minor=np.zeros(len(product), dtype=np.int64),
        account_ids=accounts,
        product_ids=products,
        order_count=len(orders),
    )


def codes(column: pa.ChunkedArray) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """Sorted distinct texts, and each row's position among them, -1 for null."""
    distinct = pc.unique(column.drop_null())
    texts = distinct.take(pc.sort_indices(distinct))
    positions = pc.fill_null(pc.index_in(column, texts, skip_nulls=True), -1)
    return np.array(texts.to_pylist(), dtype=object), positions.to_numpy().astype(np.int32)


def between(interactions: Interactions, begin: str, end: str) -> Interactions:
    """The lines of a window of days."""
    return interactions.select((interactions.time >= epoch(begin)) & (interactions.time < epoch(end)))


def epoch(day: str) -> int:
    """Midnight UTC, in epoch seconds."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
