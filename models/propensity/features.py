"""What a pair of account and candidate product looks like at a moment, as numbers."""

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
from models.propensity.snapshot import Accounts, Moment
from models.ranking.weights import look_up

FEATURES = (
    "score", "rank", "relations", "relation_strength", "segment_penetration", "alike_penetration", "recency",
    "frequency", "lines", "novelty", "price", "adopters", "owners", "buyers", "category_novelty", "category_recency",
    "category_owned", "share_of_category",
)  # fmt: skip
"""score, rank: what the blend says, and the logarithm of the place in its list. relations, relation_strength: how many
owned products it goes with in baskets beyond chance, and how strongly in sum. *_penetration: how much more often
accounts of the same segment, or alike by their attributes, own it. recency, frequency, lines, novelty: see
``Accounts``. price: how much dearer it is than what the account usually buys. adopters, owners, buyers: how many
accounts bought it first of late, ever, and how many lines it had of late. category_*: how many products of its category
the account first bought within a horizon, how long ago it last bought one, and how many it ever bought.
share_of_category: the product's share of what is first bought of its category. Counts and times are logarithms."""

NO_CATEGORY_DAYS = 10_000.0


@dataclass(frozen=True)
class PairFeatures:
    """All that the features of any pair are looked up in; A accounts, P products, G categories."""

    accounts: Accounts
    segment: NDArray[np.int64]
    penetration: Penetration
    owned: csr_matrix
    leads: csr_matrix
    leads_strongly: csr_matrix
    product: NDArray[np.float32]
    category: NDArray[np.int32]
    category_new: csr_matrix
    category_owned: csr_matrix
    category_age: csr_matrix
    share_of_category: NDArray[np.float32]

    def of(
        self, rows: NDArray[np.int32], products: NDArray[np.int32], scores: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return float32 (n, k, F), FEATURES of each pair; where products are NO_ROW they mean nothing.

        rows: (n,), accounts. products: (n, k), candidates, best first. scores: (n, k), the blend's.
        """
        at = np.maximum(products, 0)
        found = np.empty((*products.shape, len(FEATURES)), dtype=np.float32)
        place = np.log1p(np.arange(products.shape[1], dtype=np.float32))
        columns = [scores, np.broadcast_to(place, products.shape), *self._relations(rows, at)]
        columns += [self.penetration.among_segment(self.segment[rows], at), self.penetration.among_alike(rows, at)]
        accounts = self.accounts
        for values in (accounts.recency, accounts.frequency, accounts.lines, accounts.novelty):
            columns.append(np.broadcast_to(values[rows, None], products.shape))
        price = self.product[at, 0]
        columns.append(np.where(np.isfinite(price), price - accounts.price[rows, None], 0))
        columns += [self.product[at, column] for column in (1, 2, 3)]
        columns += self._categories(rows, at)
        for column, values in enumerate(columns):
            found[:, :, column] = values
        return found

    def _relations(self, rows: NDArray[np.int32], products: NDArray[np.int32]) -> list[NDArray[np.float32]]:
        owned, place = self.owned[rows], np.arange(len(rows), dtype=np.int32)[:, None]
        found = []
        for leads in (self.leads, self.leads_strongly):
            reached = (owned @ leads).tocsr()
            reached.sort_indices()
            found.append(np.log1p(look_up(reached, place, products)))
        return found

    def _categories(self, rows: NDArray[np.int32], products: NDArray[np.int32]) -> list[NDArray[np.float32]]:
        category, account = self.category[products], rows[:, None]
        age = look_up(self.category_age, account, category)
        return [
            np.log1p(look_up(self.category_new, account, category)),
            np.log1p(np.where(age > 0, age, NO_CATEGORY_DAYS)).astype(np.float32),
            np.log1p(look_up(self.category_owned, account, category)),
            self.share_of_category[products],
        ]


def learn_features(moment: Moment) -> PairFeatures:
    """Count all that the features are made of."""
    past, firsts, lines = moment.past, moment.firsts, moment.lines
    owned = owned_matrix(past)
    owned.data[:] = 1
    category, n_categories = groups_of(moment.products.categories)
    shape = (past.n_accounts, n_categories)
    is_new = firsts.age <= moment.horizon_days
    leads = find_cross_sells(count_pairs(baskets_of(past)), moment.prices, DEFAULTS)
    edges = (leads.source, leads.target), (past.n_products, past.n_products)
    return PairFeatures(
        accounts=moment.accounts,
        segment=moment.segment,
        penetration=learn_penetration(owned, moment.segment, moment.facts),
        owned=owned,
        leads=csr_matrix((np.ones(len(leads), dtype=np.float32), edges[0]), shape=edges[1]),
        leads_strongly=csr_matrix((leads.strength.astype(np.float32), edges[0]), shape=edges[1]),
        product=_describe_products(moment),
        category=category,
        category_new=_count(firsts.account[is_new], category[firsts.product[is_new]], shape),
        category_owned=_count(firsts.account, category[firsts.product], shape),
        # Above 0 wherever there is an entry.
        category_age=least_of_pairs(lines.account, category[lines.product], np.maximum(lines.age, 1e-3), shape),
        share_of_category=_share_of_category(moment, category, n_categories),
    )


def _describe_products(moment: Moment) -> NDArray[np.float32]:
    """Float32 (P, 4): logarithms of price (NaN where unknown), adopters of late, owners, and lines of late."""
    n, firsts, lines, recent = moment.past.n_products, moment.firsts, moment.lines, moment.recent_days
    adopters = np.bincount(firsts.product[firsts.age <= recent], minlength=n)
    owners = np.bincount(firsts.product, minlength=n)
    sold = np.bincount(lines.product[lines.age <= recent], minlength=n)
    with np.errstate(invalid="ignore"):
        columns = (np.log(moment.prices), np.log1p(adopters), np.log1p(owners), np.log1p(sold))
    return np.column_stack(columns).astype(np.float32)


def _share_of_category(moment: Moment, category: NDArray[np.int32], n_categories: int) -> NDArray[np.float32]:
    """Float32 (P,): the logarithm of a product's share of what was first bought of its category within a horizon."""
    firsts = moment.firsts
    counted = np.bincount(firsts.product[firsts.age <= moment.horizon_days], minlength=len(category))
    of_all = np.bincount(category + 1, weights=counted, minlength=n_categories + 1)
    return np.log((counted + 0.5) / (of_all[category + 1] + 5)).astype(np.float32)


def _count(account: NDArray[np.int32], category: NDArray[np.int32], shape: tuple[int, int]) -> csr_matrix:
    """Float32 (A, G): how many entries there are of each; those in no category are left out."""
    is_in = category != NO_GROUP
    ones = np.ones(int(is_in.sum()), dtype=np.float32)
    counts = csr_matrix((ones, (account[is_in], category[is_in])), shape=shape)
    counts.sum_duplicates()
    return counts
