"""Features of pairs of an account and a candidate product at a snapshot: declared by name, one function each."""

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
from models.ranking.shortlist import Shortlist
from models.ranking.weights import look_up

NO_GROUP_DAYS = 10_000.0
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
class PairFeatures:
    """Lookup tables for the features of any pair; A accounts, P products, G categories.

    product: float32 (P,) by name. similar: (A, A), how similar accounts are to some others. recent: (A, P), 1 where an
    account bought a product lately.
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
    similar: csr_matrix
    recent: csr_matrix

    def features_of(self, listed: Shortlist) -> NDArray[np.float32]:
        """Return float32 (n, k, F), FEATURES of each candidate; undefined where there is none."""
        pairs = Pairs(self, listed.rows, np.maximum(listed.products, 0), listed)
        features = np.empty((*listed.products.shape, len(FEATURES)), dtype=np.float32)
        for column, compute in enumerate(FUNCTIONS.values()):
            features[:, :, column] = compute(pairs)
        return features


@dataclass(frozen=True)
class Pairs:
    """Candidates that features are computed of. rows: (n,). products: (n, k), 0 where padded."""

    known: PairFeatures
    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    listed: Shortlist

    def look_up(self, table: csr_matrix, columns: NDArray[np.int32]) -> NDArray[np.float32]:
        """The entries (n, k) of a table by account."""
        return look_up(table, self.rows[:, None], columns)


Feature = Callable[[Pairs], NDArray[np.float32]]


def _ranker(place: int) -> Feature:
    """A ranker's score over its peak."""
    return lambda pairs: pairs.listed.rankers[..., place]


def _account(name: str) -> Feature:
    """See ``AccountFeatures``."""
    return lambda pairs: getattr(pairs.known.accounts, name)[pairs.rows, None]


def _product(name: str) -> Feature:
    """See ``_describe_products``."""
    return lambda pairs: pairs.known.product[name][pairs.products]


def score(pairs: Pairs) -> NDArray[np.float32]:
    """The blend's score."""
    return pairs.listed.scores


def rank(pairs: Pairs) -> NDArray[np.float32]:
    """The logarithm of the place in the blend's list."""
    place = np.log1p(np.arange(pairs.products.shape[1], dtype=np.float32))
    return np.broadcast_to(place, pairs.products.shape)


def relations(pairs: Pairs) -> NDArray[np.float32]:
    """The number of owned products that it goes with in baskets beyond chance."""
    return np.log1p(_reached(pairs, pairs.known.owned, pairs.known.links))


def relation_strength(pairs: Pairs) -> NDArray[np.float32]:
    """The sum of the strengths of these relations."""
    return np.log1p(_reached(pairs, pairs.known.owned, pairs.known.link_strengths))


def segment_penetration(pairs: Pairs) -> NDArray[np.float32]:
    """How much more often accounts of the same segment own it."""
    return pairs.known.penetration.among_segment(pairs.known.segment[pairs.rows], pairs.products)


def alike_penetration(pairs: Pairs) -> NDArray[np.float32]:
    """How much more often accounts with the same attributes own it."""
    return pairs.known.penetration.among_alike(pairs.rows, pairs.products)


def similar_recent(pairs: Pairs) -> NDArray[np.float32]:
    """Similar accounts that bought it lately, weighted by similarity."""
    return _reached(pairs, pairs.known.similar, pairs.known.recent)


def price(pairs: Pairs) -> NDArray[np.float32]:
    """Its price relative to what the account usually buys; 0 where it is unknown."""
    logarithm = pairs.known.product["price"][pairs.products]
    return np.where(np.isfinite(logarithm), logarithm - pairs.known.accounts.price[pairs.rows, None], np.float32(0))


def category_novelty(pairs: Pairs) -> NDArray[np.float32]:
    """Products of its category that the account first bought within a horizon."""
    return np.log1p(pairs.look_up(pairs.known.category_new, _category(pairs)))


def category_recency(pairs: Pairs) -> NDArray[np.float32]:
    """Days since the account last bought of its category."""
    age = pairs.look_up(pairs.known.category_age, _category(pairs))
    return np.log1p(np.where(age > 0, age, NO_GROUP_DAYS)).astype(np.float32)


def category_owned(pairs: Pairs) -> NDArray[np.float32]:
    """Products of its category that the account ever bought."""
    return np.log1p(pairs.look_up(pairs.known.category_owned, _category(pairs)))


def category_share(pairs: Pairs) -> NDArray[np.float32]:
    """The share of its category in the account's order lines."""
    return _share_of_group(pairs, pairs.known.category)


def category_popularity(pairs: Pairs) -> NDArray[np.float32]:
    """Recent order lines of its category."""
    return pairs.known.category.popularity[_category(pairs)]


def line_share(pairs: Pairs) -> NDArray[np.float32]:
    """The share of its line in the account's order lines."""
    return _share_of_group(pairs, pairs.known.line)


def line_bought(pairs: Pairs) -> NDArray[np.float32]:
    """The account's order lines of its line."""
    return np.log1p(pairs.look_up(pairs.known.line.lines, pairs.known.line.of_product[pairs.products]))


def line_popularity(pairs: Pairs) -> NDArray[np.float32]:
    """Recent order lines of its line."""
    return pairs.known.line.popularity[pairs.known.line.of_product[pairs.products]]


FUNCTIONS: Mapping[str, Feature] = {
    "score": score,
    "rank": rank,
    "als": _ranker(0),
    "affinity": _ranker(1),
    "popularity": _ranker(2),
    "similar_accounts": _ranker(3),
    "similar_recent": similar_recent,
    "relations": relations,
    "relation_strength": relation_strength,
    "segment_penetration": segment_penetration,
    "alike_penetration": alike_penetration,
    "recency": _account("recency"),
    "frequency": _account("frequency"),
    "lines": _account("lines"),
    "novelty": _account("novelty"),
    "size": _account("size"),
    "all_lines": _account("all_lines"),
    "price": price,
    "adopters": _product("adopters"),
    "owners": _product("owners"),
    "buyers": _product("buyers"),
    "product_age": _product("product_age"),
    "sold_7": _product("sold_7"),
    "sold_14": _product("sold_14"),
    "sold_60": _product("sold_60"),
    "sold": _product("sold"),
    "trend": _product("trend"),
    "growth": _product("growth"),
    "category_novelty": category_novelty,
    "category_recency": category_recency,
    "category_owned": category_owned,
    "category_share": category_share,
    "category_popularity": category_popularity,
    "share_of_category": _product("share_of_category"),
    "line_bought": line_bought,
    "line_share": line_share,
    "line_popularity": line_popularity,
}
"""To add a feature, add its function. Counts and times are logarithms of one plus the number."""
FEATURES = tuple(FUNCTIONS)


def learn_features(snapshot: Snapshot, similar: csr_matrix) -> PairFeatures:
    """Compute the lookup tables at a snapshot. similar: (A, A), how similar accounts are to some others."""
    past, firsts, lines = snapshot.past, snapshot.firsts, snapshot.lines
    owned = owned_matrix(past)
    owned.data[:] = 1
    category, n_categories = groups_of(snapshot.products.categories)
    line, n_lines = groups_of(snapshot.products.lines)
    shape = (past.n_accounts, n_categories)
    is_new = firsts.age <= snapshot.horizon_days
    links = find_cross_sells(count_pairs(baskets_of(past)), snapshot.prices, DEFAULTS)
    edges = (links.source, links.target), (past.n_products, past.n_products)
    return PairFeatures(
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


def _reached(pairs: Pairs, first: csr_matrix, second: csr_matrix) -> NDArray[np.float32]:
    """The entries of a product of two tables, which is never stored as a whole."""
    reached = (first[pairs.rows] @ second).tocsr()
    reached.sort_indices()
    place = np.arange(len(pairs.rows), dtype=np.int32)[:, None]
    return look_up(reached, place, pairs.products)


def _category(pairs: Pairs) -> NDArray[np.int32]:
    return pairs.known.category.of_product[pairs.products]


def _share_of_group(pairs: Pairs, groups: GroupTables) -> NDArray[np.float32]:
    bought = pairs.look_up(groups.lines, groups.of_product[pairs.products])
    return np.asarray(bought / groups.total[pairs.rows, None], dtype=np.float32)
