"""Features of pairs of an account and a candidate product at a snapshot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact.groups import NO_GROUP
from models.data.interactions import owned_matrix
from models.products.groups import groups_of
from models.products.pairs import baskets_of, count_pairs
from models.products.relationships import DEFAULTS, find_cross_sells
from models.propensity.pairs import least_of_pairs
from models.propensity.penetration import Penetration, learn_penetration
from models.propensity.snapshot import AccountFeatures, Snapshot
from models.ranking.weights import look_up

FEATURES = (
    "score", "rank", "relations", "relation_strength", "segment_penetration", "alike_penetration", "recency",
    "frequency", "lines", "novelty", "price", "adopters", "owners", "buyers", "category_novelty", "category_recency",
    "category_owned", "share_of_category",
)  # fmt: skip
"""score, rank: the blend's score, and the logarithm of the place in its list. relations, relation_strength: the number
of owned products that it goes with in baskets beyond chance, and the sum of their strengths. *_penetration: how much
more often accounts of the same segment, or with similar attributes, own it. recency, frequency, lines, novelty: see
``AccountFeatures``. price: its price relative to what the account usually buys. adopters, owners, buyers: accounts
that recently first bought it, accounts that ever bought it, and recent order lines. category_*: products of its
category that the account first bought within a horizon, days since it last bought one, and products ever bought.
share_of_category: the product's share of first purchases in its category. Counts and times are logarithms."""

NO_CATEGORY_DAYS = 10_000.0


@dataclass(frozen=True)
class PairFeatures:
    """Lookup tables for the features of any pair; A accounts, P products, G categories."""

    accounts: AccountFeatures
    segment: NDArray[np.int64]
    penetration: Penetration
    owned: csr_matrix
    links: csr_matrix
    link_strengths: csr_matrix
    product: NDArray[np.float32]
    category: NDArray[np.int32]
    category_new: csr_matrix
    category_owned: csr_matrix
    category_age: csr_matrix
    share_of_category: NDArray[np.float32]

    def features_of(
        self, rows: NDArray[np.int32], products: NDArray[np.int32], scores: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return float32 (n, k, F), FEATURES of each pair; undefined where products are NO_ROW.

        rows: (n,), accounts. products: (n, k), candidates, best first. scores: (n, k), the blend's.
        """
        products = np.maximum(products, 0)
        features = np.empty((*products.shape, len(FEATURES)), dtype=np.float32)
        place = np.log1p(np.arange(products.shape[1], dtype=np.float32))
        columns = [scores, np.broadcast_to(place, products.shape), *self._relations(rows, products)]
        columns += [
            self.penetration.among_segment(self.segment[rows], products),
            self.penetration.among_alike(rows, products),
        ]
        accounts = self.accounts
        for values in (accounts.recency, accounts.frequency, accounts.lines, accounts.novelty):
            columns.append(np.broadcast_to(values[rows, None], products.shape))
        price = self.product[products, 0]
        columns.append(np.where(np.isfinite(price), price - accounts.price[rows, None], 0))
        columns += [self.product[products, column] for column in (1, 2, 3)]
        columns += self._categories(rows, products)
        for column, values in enumerate(columns):
            features[:, :, column] = values
        return features

    def _relations(self, rows: NDArray[np.int32], products: NDArray[np.int32]) -> list[NDArray[np.float32]]:
        owned, place = self.owned[rows], np.arange(len(rows), dtype=np.int32)[:, None]
        relations = []
        for links in (self.links, self.link_strengths):
            reached = (owned @ links).tocsr()
            reached.sort_indices()
            relations.append(np.log1p(look_up(reached, place, products)))
        return relations

    def _categories(self, rows: NDArray[np.int32], products: NDArray[np.int32]) -> list[NDArray[np.float32]]:
        category, account = self.category[products], rows[:, None]
        age = look_up(self.category_age, account, category)
        return [
            np.log1p(look_up(self.category_new, account, category)),
            np.log1p(np.where(age > 0, age, NO_CATEGORY_DAYS)).astype(np.float32),
            np.log1p(look_up(self.category_owned, account, category)),
            self.share_of_category[products],
        ]


def learn_features(snapshot: Snapshot) -> PairFeatures:
    """Compute the lookup tables at a snapshot."""
    past, firsts, lines = snapshot.past, snapshot.firsts, snapshot.lines
    owned = owned_matrix(past)
    owned.data[:] = 1
    category, n_categories = groups_of(snapshot.products.categories)
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
        product=_describe_products(snapshot),
        category=category,
        category_new=_count(firsts.account[is_new], category[firsts.product[is_new]], shape),
        category_owned=_count(firsts.account, category[firsts.product], shape),
        # Above 0 wherever there is an entry.
        category_age=least_of_pairs(lines.account, category[lines.product], np.maximum(lines.age, 1e-3), shape),
        share_of_category=_share_of_category(snapshot, category, n_categories),
    )


def _describe_products(snapshot: Snapshot) -> NDArray[np.float32]:
    """Float32 (P, 4): logarithms of price (NaN where unknown), recent adopters, owners, and recent order lines."""
    n, firsts, lines, recent = snapshot.past.n_products, snapshot.firsts, snapshot.lines, snapshot.recent_days
    adopters = np.bincount(firsts.product[firsts.age <= recent], minlength=n)
    owners = np.bincount(firsts.product, minlength=n)
    sold = np.bincount(lines.product[lines.age <= recent], minlength=n)
    with np.errstate(invalid="ignore"):
        columns = (np.log(snapshot.prices), np.log1p(adopters), np.log1p(owners), np.log1p(sold))
    return np.column_stack(columns).astype(np.float32)


def _share_of_category(snapshot: Snapshot, category: NDArray[np.int32], n_categories: int) -> NDArray[np.float32]:
    """Float32 (P,): the logarithm of a product's share of the first purchases in its category within a horizon."""
    firsts = snapshot.firsts
    counted = np.bincount(firsts.product[firsts.age <= snapshot.horizon_days], minlength=len(category))
    of_all = np.bincount(category + 1, weights=counted, minlength=n_categories + 1)
    return np.log((counted + 0.5) / (of_all[category + 1] + 5)).astype(np.float32)


def _count(account: NDArray[np.int32], category: NDArray[np.int32], shape: tuple[int, int]) -> csr_matrix:
    """Float32 (A, G): the number of entries of each; those in no category are left out."""
    is_in = category != NO_GROUP
    ones = np.ones(int(is_in.sum()), dtype=np.float32)
    counts = csr_matrix((ones, (account[is_in], category[is_in])), shape=shape)
    counts.sum_duplicates()
    return counts
