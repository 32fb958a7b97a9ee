"""Factors of ALS as Parquet files, for those who want embeddings of accounts and products."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.ranking.als import AlsScorer


def export_factors(scorer: AlsScorer, interactions: Interactions, folder: Path) -> None:
    """Write ``accounts.parquet`` and ``products.parquet``: an identifier, and its factors as a list of float32.

    The inner product of an account's and a product's factors is the score of ALS. Accounts that own nothing and
    products that nobody owns are left out: their factors are zero, or what they were drawn as. Each file is replaced
    at once. Raises OSError if it can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    has_products = np.diff(scorer.confidence.indptr) > 0
    has_accounts = np.bincount(scorer.confidence.indices, minlength=scorer.confidence.shape[1]) > 0
    accounts = _table("account_id", interactions.account_ids, scorer.account_factors, has_products)
    products = _table("product_id", interactions.product_ids, scorer.product_factors, has_accounts)
    for name, table in {"accounts": accounts, "products": products}.items():
        written = folder / f".{name}.parquet.partial"
        pq.write_table(table, written)
        written.replace(folder / f"{name}.parquet")


def _table(
    name: str, identifiers: NDArray[np.object_], factors: NDArray[np.float32], is_kept: NDArray[np.bool_]
) -> pa.Table:
    kept = np.ascontiguousarray(factors[is_kept], dtype=np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(kept.ravel()), kept.shape[1])
    return pa.table({name: pa.array(identifiers[is_kept].tolist(), type=pa.string()), "factors": lists})
