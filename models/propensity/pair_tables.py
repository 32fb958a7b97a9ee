"""Lookup tables at a snapshot, from which the features of pairs of an account and a product are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact.groups import NO_GROUP
from models.data.interactions import owned_matrix
from models.data.split import DAY_SECONDS
from models.products.groups import groups_of
from models.products.pairs import baskets_of, count_pairs
from models.products.relationships import DEFAULTS, find_cross_sells
from models.propensity.pairs import least_of_pairs
from models.propensity.penetration import Penetration, learn_penetration
from models.propensity.snapshot import AccountFeatures, Snapshot

SimilarOf = Callable[[NDArray[np.int32]], csr_matrix]

SIMILAR_DAYS = 60.0
"""Purchases of similar accounts within so many days count as recent."""


@dataclass(frozen=True)
class GroupTables:
    """What accounts bought of each group of products, and what is bought of it now; A accounts, G groups.

    of_product: int32 (P,), NO_GROUP where there is none. lines: float32 (A, G), order lines. total: float32 (A,), all
    of an account's. popularity: float32 (G + 1,), the logarithm of recent order lines; 0 at last, for no group.
    """

    of_product: NDArray[np.int32]
    lines: csr_matrix
    total: NDArray[np.float32]
    popularity: NDArray[np.float32]


@dataclass(frozen=True)
class PairTables:
    """Lookup tables for the features of any pair; A accounts, P products, G categories.

    product: float32 (P,) by name. similar: how similar some accounts, given by their rows, are to all, (n, A). recent:
    (A, P), 1 where an account bought a product lately.
    """

    accounts: AccountFeatures
    segment: NDArray[np.int64]
    penetration: Penetration
    owned: csr_matrix
    links: csr_matrix
    link_strengths: csr_matrix
    product: Mapping[str, NDArray[np.float32]]
    category: GroupTables
    line: GroupTables
    category_new: csr_matrix
    category_owned: csr_matrix
    category_age: csr_matrix
    similar: SimilarOf
    recent: csr_matrix


def learn_tables(snapshot: Snapshot, similar: SimilarOf) -> PairTables:
    """Compute the lookup tables at a snapshot. similar: see ``PairTables``."""
    past, firsts, lines = snapshot.past, snapshot.firsts, snapshot.lines
    owned = owned_matrix(past)
    owned.data[:] = 1
    category, n_categories = groups_of(snapshot.products.categories)
    line, n_lines = groups_of(snapshot.products.lines)
    shape = (past.n_accounts, n_categories)
    is_new = firsts.age <= snapshot.horizon_days
    links = find_cross_sells(count_pairs(baskets_of(past)), snapshot.prices, DEFAULTS)
    edges = (links.source, links.target), (past.n_products, past.n_products)
    return PairTables(
        accounts=snapshot.accounts,
        segment=snapshot.segment,
        penetration=learn_penetration(owned, snapshot.segment, snapshot.facts),
        owned=owned,
        links=csr_matrix((np.ones(len(links), dtype=np.float32), edges[0]), shape=edges[1]),
        link_strengths=csr_matrix((links.strength.astype(np.float32), edges[0]), shape=edges[1]),
        product=_describe_products(snapshot)
        | {"share_of_category": _share_of_category(snapshot, category, n_categories)},
        category=_describe_groups(snapshot, category, n_categories),
        line=_describe_groups(snapshot, line, n_lines),
        category_new=_count(firsts.account[is_new], category[firsts.product[is_new]], shape),
        category_owned=_count(firsts.account, category[firsts.product], shape),
        # Above 0 wherever there is an entry.
        category_age=least_of_pairs(lines.account, category[lines.product], np.maximum(lines.age, 1e-3), shape),
        similar=similar,
        recent=_bought_lately(snapshot),
    )


def _describe_products(snapshot: Snapshot) -> dict[str, NDArray[np.float32]]:
    """Float32 (P,) by name, logarithms. price: NaN where unknown. adopters: accounts that lately first bought it.

    owners: accounts that ever bought it. buyers: recent order lines. product_age: days since it was first sold.
    sold_N: order lines of the last N days; sold: of all time. trend, growth: of 14 days against 60, of the recent days
    against all time.
    """
    n, firsts, lines, recent = snapshot.past.n_products, snapshot.firsts, snapshot.lines, snapshot.recent_days
    age = np.zeros(n, dtype=np.float64)
    np.maximum.at(age, snapshot.past.product, (snapshot.as_of - snapshot.past.time) / DAY_SECONDS)
    counts = {
        "adopters": np.bincount(firsts.product[firsts.age <= recent], minlength=n),
        "owners": np.bincount(firsts.product, minlength=n),
        "buyers": np.bincount(lines.product[lines.age <= recent], minlength=n),
        "product_age": age,
        "sold": np.bincount(lines.product, minlength=n),
    }
    counts |= {f"sold_{days}": np.bincount(lines.product[lines.age <= days], minlength=n) for days in (7, 14, 60)}
    described = {name: np.log1p(values).astype(np.float32) for name, values in counts.items()}
    with np.errstate(invalid="ignore"):
        described["price"] = np.log(snapshot.prices).astype(np.float32)
    return described | {
        "trend": described["sold_14"] - described["sold_60"],
        "growth": described["buyers"] - described["sold"],
    }


def _describe_groups(snapshot: Snapshot, of_product: NDArray[np.int32], n_groups: int) -> GroupTables:
    lines = snapshot.lines
    group = of_product[lines.product]
    bought = _count(lines.account, group, (snapshot.past.n_accounts, n_groups))
    recent = np.bincount(group[(lines.age <= snapshot.recent_days) & (group != NO_GROUP)], minlength=n_groups)
    popularity = np.log1p(np.append(recent, 0)).astype(np.float32)
    total = np.asarray(bought.sum(axis=1), dtype=np.float32).ravel()
    return GroupTables(of_product, bought, np.maximum(total, 1), popularity)


def _bought_lately(snapshot: Snapshot) -> csr_matrix:
    """Float32 (A, P): 1 where an account bought a product lately."""
    lines, shape = snapshot.lines, (snapshot.past.n_accounts, snapshot.past.n_products)
    is_recent = lines.age <= SIMILAR_DAYS
    recent = _count(lines.account[is_recent], lines.product[is_recent], shape)
    recent.data[:] = 1
    return recent


def _share_of_category(snapshot: Snapshot, category: NDArray[np.int32], n_categories: int) -> NDArray[np.float32]:
    """Float32 (P,): the logarithm of a product's share of the first purchases in its category within a horizon."""
    firsts = snapshot.firsts
    counted = np.bincount(firsts.product[firsts.age <= snapshot.horizon_days], minlength=len(category))
    of_all = np.bincount(category + 1, weights=counted, minlength=n_categories + 1)
    return np.log((counted + 0.5) / (of_all[category + 1] + 5)).astype(np.float32)


def _count(account: NDArray[np.int32], column: NDArray[np.int32], shape: tuple[int, int]) -> csr_matrix:
    """Float32 of this shape: the number of entries of each; those in no group are left out."""
    is_in = column != NO_GROUP
    ones = np.ones(int(is_in.sum()), dtype=np.float32)
    counts = csr_matrix((ones, (account[is_in], column[is_in])), shape=shape)
    counts.sum_duplicates()
    return counts
