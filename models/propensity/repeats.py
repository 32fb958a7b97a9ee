"""Repeat purchases: how likely an account is to buy again what it owns, by how often and how lately it bought it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.artifact.calibrated import Calibrated
from models.evaluate.intervals import estimate_ratio
from models.propensity.calibration import RecentRate
from models.propensity.classifier import at_level, calibrate, fit_classifier, relative_to
from models.propensity.pairs import least_of_pairs
from models.propensity.snapshot import AccountFeatures, Snapshot
from models.ranking.shortlist import Shortlist
from models.ranking.weights import look_up
from models.report import describe

HALF_LIVES = (10.0, 30.0, 90.0)
"""In days: each gives a number of order lines that fade by age."""
REPEAT_FEATURES = (
    "score", "als", "affinity", "similar_accounts", "bought_10", "bought_30", "bought_90", "bought", "since", "overdue",
    "recency", "frequency", "lines", "size", "buyers", "repurchases",
)  # fmt: skip
"""score, als, affinity, similar_accounts: of the rankers. bought_N: order lines of the pair with a half-life of N days;
bought: all of them. since: days since the last one. overdue: these days over the mean gap between two, a logarithm; 0
where it was bought once. recency, frequency, lines, size: of the account. buyers: recent order lines of the product.
repurchases: its order lines for each owner. Counts and times are logarithms of one plus the number."""
MIN_TRUE = 50


@dataclass(frozen=True)
class RepeatTables:
    """Figures of what accounts own at a snapshot.

    faded, bought, last, first: (A, P), stored wherever something was bought. buyers, repurchases: float32 (P,), see
    REPEAT_FEATURES. rate: recent repeat purchases of what was bought before the recent days.
    """

    owned: csr_matrix
    faded: tuple[csr_matrix, ...]
    bought: csr_matrix
    last: csr_matrix
    first: csr_matrix
    buyers: NDArray[np.float32]
    repurchases: NDArray[np.float32]
    rate: RecentRate
    accounts: AccountFeatures

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, owned: csr_matrix) -> "RepeatTables":
        """Count at a snapshot. owned: (A, P), see ``owned_matrix``."""
        lines, shape = snapshot.lines, owned.shape
        where = (lines.account, lines.product)

        def added(values: NDArray[np.float32]) -> csr_matrix:
            table = csr_matrix((values, where), shape=shape)
            table.sum_duplicates()
            return table

        # Above 0 wherever there is an entry.
        age = np.maximum(lines.age, np.float32(1e-3))
        last = least_of_pairs(lines.account, lines.product, age, shape)
        first = -least_of_pairs(lines.account, lines.product, -age, shape)
        for table in (last, first):
            table.sort_indices()
        faded = tuple(added((0.5 ** (lines.age / days)).astype(np.float32)) for days in HALF_LIVES)
        recent = lines.age <= snapshot.recent_days
        sold, buyers = (
            np.bincount(products, minlength=shape[1]) for products in (lines.product, lines.product[recent])
        )
        owners = np.bincount(owned.indices, minlength=shape[1])
        is_old = first.data > snapshot.recent_days
        is_again = is_old & (last.data <= snapshot.recent_days)
        return cls(
            owned=owned,
            faded=faded,
            bought=added(np.ones_like(lines.age)),
            last=last,
            first=first,
            buyers=np.log1p(buyers).astype(np.float32),
            repurchases=np.log1p(sold / np.maximum(owners, 1)).astype(np.float32),
            rate=RecentRate(float(is_again.sum()), float(is_old.sum())),
            accounts=snapshot.accounts,
        )

    def features_of(self, listed: Shortlist) -> NDArray[np.float32]:
        """Return float32 (m, F), REPEAT_FEATURES of everything that the accounts of a shortlist own, in its order."""
        owned = self.owned[listed.rows]
        account, product = listed.rows[numbers_of_ranges(owned.indptr)], owned.indices

        def of_pair(table: csr_matrix) -> NDArray[np.float32]:
            return look_up(table, account[:, None], product[:, None])[:, 0]

        count, last, first = of_pair(self.bought), of_pair(self.last), of_pair(self.first)
        gap = (first - last) / np.maximum(count - 1, 1)
        columns = [listed.owned[:, place] for place in (0, 1, 2, 4)]
        columns += [np.log1p(of_pair(table)) for table in self.faded]
        columns += [np.log1p(count), np.log1p(last), np.where(gap > 0, np.log((last + 1) / (gap + 1)), 0)]
        columns += [getattr(self.accounts, name)[account] for name in ("recency", "frequency", "lines", "size")]
        columns += [self.buyers[product], self.repurchases[product]]
        return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True)
class RepeatModel:
    """A calibrated logistic model of REPEAT_FEATURES. rate: when it was fitted."""

    model: Calibrated
    rate: RecentRate

    def adapted(self, features: NDArray[np.float32], rate: RecentRate) -> "RepeatModel":
        """Adapt to a later snapshot. features: (n, F), of pairs that represent it. rate: at that time."""
        return RepeatModel(at_level(relative_to(self.model, features), rate.ratio_to(self.rate)), rate)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n,): P(the account buys it again within the horizon)."""
        return self.model.predict(features)


def learn_repeats(features: NDArray[np.float32], is_true: NDArray[np.bool_], rate: RecentRate) -> RepeatModel:
    """Fit and calibrate on one window; below 50 of either kind without calibration, below 10 all get one share.

    Few weights learn from many pairs here, so that the calibration may use the same ones.
    """
    model = fit_classifier(features, is_true)
    if min(int(is_true.sum()), int((~is_true).sum())) < MIN_TRUE:
        return RepeatModel(model, rate)
    return RepeatModel(calibrate(model, features, is_true), rate)


def describe_calibration(
    p: NDArray[np.float32], is_true: NDArray[np.bool_], offsets: NDArray[np.integer], seed: int
) -> dict[str, Any]:
    """Describe observed over expected repeat purchases for the report, with intervals over accounts.

    p, is_true: (m,), of what accounts own on a window that the model has not seen; those of account k are
    ``[offsets[k]:offsets[k + 1]]``. first_observed_over_expected: of each account's likeliest product alone.
    """
    account = numbers_of_ranges(offsets)
    expected, observed = (np.bincount(account, values, len(offsets) - 1).astype(np.float64) for values in (p, is_true))
    # Descending within an account; of equal probabilities, the first.
    order = np.lexsort((-p, account))
    first = order[offsets[:-1][np.diff(offsets) > 0]]
    return {
        "observed_over_expected": describe(estimate_ratio(observed, expected, seed)),
        "first_observed_over_expected": describe(
            estimate_ratio(is_true[first].astype(np.float64), p[first].astype(np.float64), seed)
        ),
    }
