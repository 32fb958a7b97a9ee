"""Features of pairs of an account and a candidate product at a snapshot: declared by name, one function each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.propensity.pair_tables import GroupTables, PairTables
from models.ranking.shortlist import Shortlist
from models.ranking.weights import look_up

NO_GROUP_DAYS = 10_000.0


@dataclass(frozen=True)
class Pairs:
    """Candidates that features are computed of. rows: (n,). products: (n, k), 0 where padded."""

    tables: PairTables
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
    return lambda pairs: getattr(pairs.tables.accounts, name)[pairs.rows, None]


def _product(name: str) -> Feature:
    """See ``_describe_products``."""
    return lambda pairs: pairs.tables.product[name][pairs.products]


def score(pairs: Pairs) -> NDArray[np.float32]:
    """The blend's score."""
    return pairs.listed.scores


def rank(pairs: Pairs) -> NDArray[np.float32]:
    """The logarithm of the place in the blend's list."""
    place = np.log1p(np.arange(pairs.products.shape[1], dtype=np.float32))
    return np.broadcast_to(place, pairs.products.shape)


def relations(pairs: Pairs) -> NDArray[np.float32]:
    """The number of owned products that it goes with in baskets beyond chance."""
    return np.log1p(_reached(pairs, pairs.tables.owned[pairs.rows], pairs.tables.links))


def relation_strength(pairs: Pairs) -> NDArray[np.float32]:
    """The sum of the strengths of these relations."""
    return np.log1p(_reached(pairs, pairs.tables.owned[pairs.rows], pairs.tables.link_strengths))


def segment_penetration(pairs: Pairs) -> NDArray[np.float32]:
    """How much more often accounts of the same segment own it."""
    return pairs.tables.penetration.among_segment(pairs.tables.segment[pairs.rows], pairs.products)


def alike_penetration(pairs: Pairs) -> NDArray[np.float32]:
    """How much more often accounts with the same attributes own it."""
    return pairs.tables.penetration.among_alike(pairs.rows, pairs.products)


def similar_recent(pairs: Pairs) -> NDArray[np.float32]:
    """Similar accounts that bought it lately, weighted by similarity."""
    return _reached(pairs, pairs.tables.similar(pairs.rows), pairs.tables.recent)


def price(pairs: Pairs) -> NDArray[np.float32]:
    """Its price relative to what the account usually buys; 0 where it is unknown."""
    logarithm = pairs.tables.product["price"][pairs.products]
    return np.where(np.isfinite(logarithm), logarithm - pairs.tables.accounts.price[pairs.rows, None], np.float32(0))


def category_novelty(pairs: Pairs) -> NDArray[np.float32]:
    """Products of its category that the account first bought within a horizon."""
    return np.log1p(pairs.look_up(pairs.tables.category_new, _category(pairs)))


def category_recency(pairs: Pairs) -> NDArray[np.float32]:
    """Days since the account last bought of its category."""
    age = pairs.look_up(pairs.tables.category_age, _category(pairs))
    return np.log1p(np.where(age > 0, age, NO_GROUP_DAYS)).astype(np.float32)


def category_owned(pairs: Pairs) -> NDArray[np.float32]:
    """Products of its category that the account ever bought."""
    return np.log1p(pairs.look_up(pairs.tables.category_owned, _category(pairs)))


def category_share(pairs: Pairs) -> NDArray[np.float32]:
    """The share of its category in the account's order lines."""
    return _share_of_group(pairs, pairs.tables.category)


def category_popularity(pairs: Pairs) -> NDArray[np.float32]:
    """Recent order lines of its category."""
    return pairs.tables.category.popularity[_category(pairs)]


def line_share(pairs: Pairs) -> NDArray[np.float32]:
    """The share of its line in the account's order lines."""
    return _share_of_group(pairs, pairs.tables.line)


def line_bought(pairs: Pairs) -> NDArray[np.float32]:
    """The account's order lines of its line."""
    return np.log1p(pairs.look_up(pairs.tables.line.lines, pairs.tables.line.of_product[pairs.products]))


def line_popularity(pairs: Pairs) -> NDArray[np.float32]:
    """Recent order lines of its line."""
    return pairs.tables.line.popularity[pairs.tables.line.of_product[pairs.products]]


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
EXTRA_FUNCTIONS: Mapping[str, Feature] = {"extra_scores": _ranker(4)}
"""Those that are there only where extra scores are given."""


def functions_for(listed: Shortlist) -> Mapping[str, Feature]:
    """The features of the candidates of a shortlist, by name."""
    return {**FUNCTIONS, **EXTRA_FUNCTIONS} if listed.has_extra_scores else FUNCTIONS


def features_of(tables: PairTables, listed: Shortlist) -> NDArray[np.float32]:
    """Return float32 (n, k, F), see ``functions_for``, of each candidate; undefined where there is none."""
    pairs = Pairs(tables, listed.rows, np.maximum(listed.products, 0), listed)
    functions = functions_for(listed)
    features = np.empty((*listed.products.shape, len(functions)), dtype=np.float32)
    for column, compute in enumerate(functions.values()):
        features[:, :, column] = compute(pairs)
    return features


def _reached(pairs: Pairs, first: csr_matrix, second: csr_matrix) -> NDArray[np.float32]:
    """The candidates' entries of a product of two tables. first: (n, m), of the accounts. second: (m, P)."""
    reached = (first @ second).tocsr()
    reached.sort_indices()
    place = np.arange(len(pairs.rows), dtype=np.int32)[:, None]
    return look_up(reached, place, pairs.products)


def _category(pairs: Pairs) -> NDArray[np.int32]:
    return pairs.tables.category.of_product[pairs.products]


def _share_of_group(pairs: Pairs, groups: GroupTables) -> NDArray[np.float32]:
    bought = pairs.look_up(groups.lines, groups.of_product[pairs.products])
    return np.asarray(bought / groups.total[pairs.rows, None], dtype=np.float32)
