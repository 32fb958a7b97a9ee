"""How likely an account is to buy anything at all of a product line or a category that it owns nothing of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact.groups import NO_GROUP
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS
from models.propensity.calibration import Examples, RecentRate
from models.propensity.pairs import least_of_pairs
from models.propensity.penetration import Penetration, learn_penetration
from models.propensity.snapshot import N_SEGMENTS, Snapshot

FEATURES = (
    "affinity", "segment_penetration", "alike_penetration", "recency", "frequency", "lines", "novelty", "owned",
    "price", "adopters", "owners",
)  # fmt: skip
"""affinity: a regression on the other groups that the account owns (EASE; Steck, WWW 2019). owned: the number of groups
of which it owns something. The rest as for products, see ``models.propensity.features``. Counts are logarithms."""

OWNERS = FEATURES.index("owners")
MAX_PAIRS = 1_000_000
MAX_CELLS = 2**29
"""Accounts times groups: nothing is learned beyond that, since every account's row would have to be kept."""
MAX_GROUPS = 4_096
"""The regression of groups on each other inverts a square matrix of this size."""
REGULARIZATION = 50.0
PRIOR_ADOPTERS = 3.0


@dataclass(frozen=True)
class GroupFeatures:
    """Features of A accounts and G groups at a snapshot."""

    snapshot: Snapshot
    of_product: NDArray[np.int32]
    n_groups: int

    @cached_property
    def owned(self) -> csr_matrix:
        """Float32 (A, G), ones where an account owns something of a group."""
        return grouped(owned_matrix(self.snapshot.past), self.of_product, self.n_groups)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """Float32 (G, G): how much owning one group predicts another; 0 on the diagonal."""
        gram = (self.owned.T @ self.owned).toarray().astype(np.float64)
        inverse = np.linalg.inv(gram + REGULARIZATION * np.eye(self.n_groups))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return np.asarray(weights, dtype=np.float32)

    @cached_property
    def penetration(self) -> Penetration:
        """Shares of owners among similar accounts."""
        return learn_penetration(self.owned, self.snapshot.segment, self.snapshot.facts)

    @cached_property
    def first_age(self) -> csr_matrix:
        """Float32 (A, G): days since the account first bought something of the group."""
        firsts, shape = self.snapshot.firsts, (self.snapshot.past.n_accounts, self.n_groups)
        return -least_of_pairs(firsts.account, self.of_product[firsts.product], -firsts.age, shape)

    @cached_property
    def by_group(self) -> NDArray[np.float32]:
        """Float32 (G, 3): logarithms of the median price, of adopters within a horizon, and of owners."""
        prices = np.log(self.snapshot.prices)
        price = np.full(self.n_groups, np.nan)
        is_priced = np.isfinite(prices) & (self.of_product != NO_GROUP)
        for group in np.unique(self.of_product[is_priced]):
            price[group] = np.median(prices[is_priced & (self.of_product == group)])
        is_new = self.first_age.data <= self.snapshot.horizon_days
        adopters = np.bincount(self.first_age.indices[is_new], minlength=self.n_groups)
        owners = np.bincount(self.owned.indices, minlength=self.n_groups)
        return np.column_stack([price, np.log1p(adopters), np.log1p(owners)]).astype(np.float32)

    def features_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n, G, F), FEATURES of every group. rows: int32 (n,), accounts."""
        owned, accounts = self.owned[rows], self.snapshot.accounts
        shape = (len(rows), self.n_groups)
        groups = np.broadcast_to(np.arange(self.n_groups, dtype=np.int32), shape)
        breadth = np.log1p(np.diff(owned.indptr)).astype(np.float32)
        columns = [owned @ self.weights, self.penetration.among_segment(self.snapshot.segment[rows], groups)]
        columns.append(self.penetration.among_alike(rows, groups))
        by_account = (accounts.recency[rows], accounts.frequency[rows], accounts.lines[rows], accounts.novelty[rows])
        columns += [np.broadcast_to(values[:, None], shape) for values in (*by_account, breadth)]
        columns.append(np.nan_to_num(self.by_group[:, 0] - accounts.price[rows, None]))
        columns += [np.broadcast_to(self.by_group[:, column], shape) for column in (1, 2)]
        return np.stack(columns, axis=2).astype(np.float32)

    def is_open(self, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool (n, G): the groups of which accounts own nothing. rows: int32 (n,)."""
        return np.asarray(self.owned[rows].toarray() == 0)

    def novelty_rate(self, open_per_account: float) -> RecentRate:
        """The rate at which accounts recently first bought of groups; see ``Snapshot.novelty_rate``.

        open_per_account: groups of which an account owns nothing, on average.
        """
        is_established = self.snapshot.is_established
        firsts = (self.first_age[is_established].data <= self.snapshot.recent_days).sum()
        return RecentRate(float(firsts), float(is_established.sum() * open_per_account))


def group_examples(features: GroupFeatures, bought: csr_matrix, seed: int) -> tuple[Examples, NDArray[np.int64]]:
    """Compute the features of groups of which accounts owned nothing, and whether they bought of them; a sample.

    bought: (A, G), within the horizon. Returns the examples, and the group of each, int64 (n,).
    """
    rows = sample_of(features, seed)
    is_open = features.is_open(rows)
    account, group = np.nonzero(is_open)
    values = features.features_of(rows)[is_open]
    examples = Examples(
        features=values,
        score=values[:, OWNERS],
        is_true=np.asarray(bought[rows].toarray() > 0)[is_open],
        account=rows[account].astype(np.int64),
        novelty=features.novelty_rate(len(account) / max(len(rows), 1)),
    )
    return examples, group.astype(np.int64)


def sample_of(features: GroupFeatures, seed: int) -> NDArray[np.int32]:
    """Return int32 (n,): a sample of the accounts that had bought something."""
    buyers = np.flatnonzero(np.diff(features.owned.indptr) > 0).astype(np.int32)
    limit = max(MAX_PAIRS // max(features.n_groups, 1), 1)
    return np.sort(np.random.default_rng(seed).choice(buyers, min(len(buyers), limit), replace=False))


def grouped(owned: csr_matrix, of_product: NDArray[np.int32], n_groups: int) -> csr_matrix:
    """Return float32 (A, G), ones where a row holds something of a group. owned: (A, P)."""
    is_in = np.flatnonzero(of_product != NO_GROUP)
    ones = np.ones(len(is_in), dtype=np.float32)
    member = csr_matrix((ones, (is_in, of_product[is_in])), shape=(len(of_product), n_groups))
    held = (csr_matrix((np.ones_like(owned.data), owned.indices, owned.indptr), shape=owned.shape) @ member).tocsr()
    held.data[:] = 1
    held.sort_indices()
    return held.astype(np.float32)


def spend_between(
    interactions: Interactions, of_product: NDArray[np.int32], n_groups: int, begin: int, horizon_days: float
) -> csr_matrix:
    """Return float64 (A, G): what accounts spent on each group within a horizon, minor units, returns subtracted.

    NaN where a part of it is not known in the reporting currency.
    """
    end = begin + round(horizon_days * DAY_SECONDS)
    group = of_product[interactions.product]
    which = interactions.is_known & (interactions.time >= begin) & (interactions.time < end) & (group != NO_GROUP)
    amount = interactions.amount_minor[which].astype(np.float64)
    amount[interactions.is_unconverted[which]] = np.nan
    shape = (interactions.n_accounts, n_groups)
    spend = csr_matrix((amount, (interactions.account[which], group[which])), shape=shape)
    spend.sum_duplicates()
    return spend


def spend_factors(snapshot: Snapshot) -> NDArray[np.float32]:
    """Float32 (A,): the price level of what an account buys, relative to the mean of all, between a half and twice.

    1 for one that never bought. Of those that did the mean is 1.
    """
    is_buyer, price = snapshot.segment < N_SEGMENTS, snapshot.accounts.price.astype(np.float64)
    factor = np.ones(len(price))
    if is_buyer.any():
        level = np.exp(np.clip(price[is_buyer] - price[is_buyer].mean(), np.log(0.5), np.log(2.0)))
        factor[is_buyer] = level / level.mean()
    return factor.astype(np.float32)


def usual_spend(
    examples: Examples, groups: NDArray[np.int64], spent: NDArray[np.float64], n_groups: int
) -> NDArray[np.float32]:
    """Float32 (G, 2): mean and standard deviation of what adopters spent on a group.

    groups: int64 (n,), of each example. spent: float64 (n,), in minor units, spend factors divided out; those for whom
    it is NaN are left out. Groups with few adopters are shrunk towards the mean of all.
    """
    is_counted = examples.is_true & np.isfinite(spent)
    group, spent = groups[is_counted], np.maximum(spent[is_counted], 0)
    if not len(spent):
        return np.full((n_groups, 2), np.nan, dtype=np.float32)
    n = np.bincount(group, minlength=n_groups)
    total, squares = (np.bincount(group, weights=amounts, minlength=n_groups) for amounts in (spent, spent**2))
    mean = (total + PRIOR_ADOPTERS * spent.mean()) / (n + PRIOR_ADOPTERS)
    square = (squares + PRIOR_ADOPTERS * (spent**2).mean()) / (n + PRIOR_ADOPTERS)
    return np.column_stack([mean, np.sqrt(np.maximum(square - mean**2, 0))]).astype(np.float32)
