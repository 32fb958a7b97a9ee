"""Writes the lists of all accounts to a file. Needs pyarrow, which the running service does not."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from service.base.arbitration_options import ArbitrationOptions
from service.offers.scores import ACCOUNTS_AT_ONCE, SOURCES, ScoredLists, known_accounts, score_accounts
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductRow
from service.server.score_endings import ending_of
from service.server.score_writers import WRITERS

SCHEMA: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("rank", pa.int32()),
        ("product_id", pa.string()),
        ("score", pa.float32()),
        ("source", pa.dictionary(pa.int8(), pa.string())),
        ("propensity", pa.float32()),
        ("expected_revenue_minor", pa.int64()),
        ("expected_margin_minor", pa.int64()),
        ("currency", pa.dictionary(pa.int8(), pa.string())),
    ]
)


def write_scores(
    state: LiveState,
    target: Path,
    limit: int,
    options: ArbitrationOptions,
    *,
    now: datetime | None = None,
    includes_owned: bool,
    progress: Callable[[int], None],
) -> tuple[int, int]:
    """Write every account's list in the format of the file's ending; return how many rows, and accounts with any.

    Columns: account_id, rank (from 1), product_id, score, source, propensity, and what that is worth: times the price,
    and times the margin, null where these are not known in the reporting currency, which is
    named beside. The file appears complete or not at all.
    now: see ``gather``. progress: called with the number of accounts done.
    """
    account_ids = known_accounts(state)
    accounts = pa.array(account_ids, type=pa.string())
    catalogue = _Catalogue(state)
    partial = target.with_name(f".{target.name}.writing")
    n_rows = n_listed = 0
    try:
        with WRITERS[ending_of(target)](partial, SCHEMA, target.name) as writer:
            scored = score_accounts(state, account_ids, limit, options, now=now, includes_owned=includes_owned)
            for begin, lists in scored:
                table = _to_table(lists, accounts.slice(begin), catalogue)
                writer.write_table(table)
                n_rows += table.num_rows
                n_listed += len(np.unique(lists.account))
                progress(min(begin + ACCOUNTS_AT_ONCE, len(account_ids)))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return n_rows, n_listed


class _Catalogue:
    """Identifiers, prices and margins of products by row, as they are now."""

    def __init__(self, state: LiveState) -> None:
        products = state.part(CatalogueView).products
        rows = [ProductRow(row) for row in range(len(products.is_active))]
        infos = [products.info(row) for row in rows]
        self.ids = pa.array([info.product_id for info in infos], type=pa.string())
        self.currency = products.content.currency
        convert = self.currency.convert
        self.prices = _amounts([convert(info.price_minor, info.currency) for info in infos])
        self.margins = _amounts([convert(info.margin_minor, info.currency) for info in infos])


def _amounts(minor: list[int | None]) -> NDArray[np.int64]:
    return np.array([NO_NUMBER if amount is None else amount for amount in minor], dtype=np.int64)


def _to_table(lists: ScoredLists, accounts: pa.StringArray, catalogue: _Catalogue) -> pa.Table:
    sources = pa.DictionaryArray.from_arrays(pa.array(lists.source), pa.array([str(source) for source in SOURCES]))
    columns = (
        accounts.take(pa.array(lists.account)),
        pa.array(lists.rank),
        catalogue.ids.take(pa.array(lists.product)),
        pa.array(lists.score.astype(np.float32)),
        sources,
        _known(lists.propensity, np.isfinite(lists.propensity)),
        *(_worth(lists.propensity, amounts[lists.product]) for amounts in (catalogue.prices, catalogue.margins)),
        _repeated(catalogue.currency.code, len(lists.account)),
    )
    return pa.table(columns, schema=SCHEMA)


def _repeated(text: str | None, n_rows: int) -> pa.DictionaryArray:
    # Where there is no text, the indices are null: Parquet has no null among the texts themselves.
    index = pa.scalar(None if text is None else 0, pa.int8())
    return pa.DictionaryArray.from_arrays(pa.repeat(index, n_rows), pa.array([text or ""], type=pa.string()))


def _worth(propensity: NDArray[np.float32], minor: NDArray[np.int64]) -> pa.Array:
    """Propensity times an amount, in minor units; null where either is not known."""
    is_known = np.isfinite(propensity) & (minor != NO_NUMBER)
    worth = np.where(is_known, propensity.astype(np.float64) * minor, 0).round().astype(np.int64)
    return _known(worth, is_known)


def _known(values: NDArray[Any], is_known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=~is_known)
