"""Every account's list, for a CRM's nightly load."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, NO_ROW, Artifact, Content

ACCOUNTS_PER_BATCH = 10_000
SOURCES = ("personalized", "popular")
SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("rank", pa.int32()),
        ("product_id", pa.string()),
        ("score", pa.float32()),
        ("source", pa.dictionary(pa.int8(), pa.string())),
        ("propensity", pa.float32()),
        ("expected_revenue_minor", pa.int64()),
        ("expected_margin_minor", pa.int64()),
    ]
)


Ranked = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
"""Products, scores and propensities, (n_accounts, limit) each."""


@dataclass(frozen=True)
class Lists:
    """The lists of a run of accounts, (n_accounts, limit): rows NO_ROW padded, best first.

    is_popular marks entries that fill a list up from the popular products; their score is the popularity.
    propensities are P(buys it within the report's horizon), NaN for what is owned, and where none was learned.
    """

    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    propensities: NDArray[np.float32]
    is_popular: NDArray[np.bool_]


def write_scores(
    artifact: Artifact,
    target: Path,
    limit: int,
    *,
    include_owned: bool,
    progress: Callable[[int], None],
    left_out: Collection[str] | None = None,
) -> int:
    """Write every account's list as Parquet and return the number of rows.

    Columns: account_id, rank (from 1), product_id, score, source (personalized or popular), propensity, and what that
    is worth: times the price, and times the margin, null where these are not known. Scores are those that the service
    serves. The file appears complete or not at all.
    progress: told the number of accounts done. left_out: accounts without a list.
    """
    content = artifact.content
    accounts = pa.array(content.account_ids.texts, type=pa.string())
    products = pa.array(content.products.ids.texts, type=pa.string())
    aside = target.with_name(f".{target.name}.writing")
    found = [row for of in left_out or () if (row := content.account_ids.row_of(of)) is not None]
    is_left_out = np.zeros(len(content.account_ids), dtype=np.bool_)
    is_left_out[found] = True
    written = 0
    try:
        with pyarrow.parquet.ParquetWriter(aside, SCHEMA) as writer:
            for begin, lists in score_batches(content, limit, include_owned=include_owned):
                lists.products[is_left_out[begin : begin + len(lists.products)]] = NO_ROW
                table = _to_table(lists, begin, content, accounts, products)
                writer.write_table(table)
                written += table.num_rows
                progress(begin + len(lists.products))
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return written


def score_batches(content: Content, limit: int, *, include_owned: bool) -> Iterator[tuple[int, Lists]]:
    """Yield the lists of all accounts, a batch at a time, with the first account row of each."""
    for begin in range(0, len(content.account_ids), ACCOUNTS_PER_BATCH):
        end = min(begin + ACCOUNTS_PER_BATCH, len(content.account_ids))
        yield begin, top_lists(content, begin, end, limit, include_owned=include_owned)


def top_lists(content: Content, begin: int, end: int, limit: int, *, include_owned: bool) -> Lists:
    """Return the best ``limit`` products of the accounts in rows begin to end."""
    best = _with_owned if include_owned else _candidates
    products, scores, propensities = best(content, begin, end, limit)
    lists = Lists(products, scores, propensities, np.zeros(products.shape, dtype=np.bool_))
    _fill_up(lists, content, begin, include_owned=include_owned)
    return lists


def _candidates(content: Content, begin: int, end: int, limit: int) -> Ranked:
    products = np.full((end - begin, limit), NO_ROW, dtype=np.int32)
    scores = np.zeros((end - begin, limit), dtype=np.float32)
    width = min(limit, content.candidate_products.shape[1])
    products[:, :width] = content.candidate_products[begin:end, :width]
    scores[:, :width] = content.candidate_scores[begin:end, :width]
    propensities = np.full((end - begin, limit), np.nan, dtype=np.float32)
    propensities[:, :width] = content.propensities.candidates[begin:end, :width]
    return products, scores, propensities


def _with_owned(content: Content, begin: int, end: int, limit: int) -> Ranked:
    """Merge candidates and owned products by score; ties go to the lower product row."""
    first, last = content.owned_offsets[begin], content.owned_offsets[end]
    owners = np.repeat(np.arange(end - begin), np.diff(content.owned_offsets[begin : end + 1]))
    width = content.candidate_products.shape[1]
    account = np.concatenate([np.repeat(np.arange(end - begin), width), owners])
    product = np.concatenate([content.candidate_products[begin:end].ravel(), content.owned_products[first:last]])
    score = np.concatenate([content.candidate_scores[begin:end].ravel(), content.owned_scores[first:last]])
    owned_propensity = np.full(last - first, np.nan, dtype=np.float32)
    propensity = np.concatenate([content.propensities.candidates[begin:end].ravel(), owned_propensity])
    offered = np.flatnonzero((product != NO_ROW) & content.products.is_active[product])
    order = offered[np.lexsort((product[offered], -score[offered], account[offered]))]
    account, product, score, propensity = account[order], product[order], score[order], propensity[order]
    begins = np.searchsorted(account, np.arange(end - begin))
    rank = np.arange(len(account)) - begins[account]
    kept = rank < limit
    products = np.full((end - begin, limit), NO_ROW, dtype=np.int32)
    scores = np.zeros((end - begin, limit), dtype=np.float32)
    products[account[kept], rank[kept]] = product[kept]
    scores[account[kept], rank[kept]] = score[kept]
    propensities = np.full((end - begin, limit), np.nan, dtype=np.float32)
    propensities[account[kept], rank[kept]] = propensity[kept]
    return products, scores, propensities


def _fill_up(lists: Lists, content: Content, begin: int, *, include_owned: bool) -> None:
    """Fill short lists with the most popular active products that the account does not own."""
    is_active = content.products.is_active[content.popular_products]
    popular, popularity = content.popular_products[is_active], content.popular_scores[is_active]
    limit = lists.products.shape[1]
    for row in np.flatnonzero((lists.products == NO_ROW).any(axis=1)):
        filled = int((lists.products[row] != NO_ROW).sum())
        taken = lists.products[row, :filled]
        if not include_owned:
            taken = np.concatenate([taken, content.owned_by(begin + int(row))])
        head = limit + len(taken)
        chosen = np.flatnonzero(~np.isin(popular[:head], taken))[: limit - filled]
        into = slice(filled, filled + len(chosen))
        chosen_rows = popular[chosen]
        lists.products[row, into], lists.scores[row, into] = chosen_rows, popularity[chosen]
        lists.propensities[row, into] = content.propensities.of_others(content.customers, begin + int(row), chosen_rows)
        lists.is_popular[row, into] = True


def _to_table(
    lists: Lists, begin: int, content: Content, accounts: pa.StringArray, products: pa.StringArray
) -> pa.Table:
    row, position = np.nonzero(lists.products != NO_ROW)
    sources = pa.DictionaryArray.from_arrays(lists.is_popular[row, position].astype(np.int8), pa.array(SOURCES))
    propensity = lists.propensities[row, position]
    money = content.products.prices_minor, content.products.margins_minor
    columns = (
        accounts.take(pa.array(row + begin)),
        pa.array(position + 1, type=pa.int32()),
        products.take(pa.array(lists.products[row, position])),
        pa.array(lists.scores[row, position]),
        sources,
        _known(propensity, np.isfinite(propensity)),
        *(_worth(propensity, amounts[lists.products[row, position]]) for amounts in money),
    )
    return pa.table(columns, schema=SCHEMA)


def _worth(propensity: NDArray[np.float32], minor: NDArray[np.int64]) -> pa.Array:
    """Propensity times an amount, in minor units; null where either is not known."""
    is_known = np.isfinite(propensity) & (minor != NO_NUMBER)
    worth = np.where(is_known, propensity.astype(np.float64) * minor, 0).round().astype(np.int64)
    return _known(worth, is_known)


def _known(values: NDArray[np.generic], is_known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=~is_known)
