"""The evaluation report: every model on the same accounts and window, each figure with its n and interval."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import Verdict
from models.candidates import CANDIDATES
from models.data.interactions import Interactions, owned_matrix
from models.evaluate.baskets import BasketScorer, completion_at, hide_products, ranks_of_hidden
from models.evaluate.intervals import Estimate, estimate_mean
from models.evaluate.ranking import (
    RankingMetrics,
    accounts_to_rank,
    compare_lists,
    keep_products,
    rank_products,
    recent_products,
    relevant_products,
)
from models.ranking.cold_products import COLD_DAYS
from models.ranking.scorer import Scorer

BLEND, SECOND_STAGE, NEIGHBOURS = "blend", "second_stage", "neighbours"
WITHOUT_EXTRA_SCORES = "-without-extra-scores"
"""Added to the name of a model that was given extra scores: the same model without them."""
CUT = 20
RECENT_DAYS = COLD_DAYS
"""A product that was first sold within so many days before a window is recent: what gets places of its own."""
MAX_ACCOUNTS = 5_000
MAX_BASKETS = 4_000
BASKET_CUTS = (1, 3, 10)
GATED_BASKET_CUT = 10
"""Where baskets alone are learned from, the gate compares how often the hidden product is among so many."""


@dataclass(frozen=True)
class Report:
    """The results on the held-out period.

    metrics:    target ("new", "all", "recent", "recent_candidates", "basket", "purchases", "spend_minor", "propensity",
                "line_propensity", "category_propensity") -> model -> metric -> {value, low, high, n}.
    windows:    when each window begins and ends.
    notice:     a remark on the split, or empty.
    parameters: hyperparameters of the models, including the blend's weights; and the file of extra scores, if one was
                given, with NDCG@20 on the validation window with and without it.
    timezone:   of days.
    served:     the model of "new" and "all" whose lists are in the artifact; NEIGHBOURS where it is of baskets alone.
    currency:   the reporting currency, order lines by their own currency, and the factors that convert minor units.
    customers:  the models that accounts' value was estimated with.
    propensity: the features' weights, the method that the gate let through, and its reliability; under "repeat", how
                many owned products were bought again over how many were expected to be; under "repurchase_intervals",
                how many products have one; under "live", whether the predictions of the artifact in use have held.
    """

    metrics: dict[str, dict[str, dict[str, Any]]]
    windows: dict[str, Any]
    notice: str
    parameters: dict[str, Any]
    verdict: Verdict
    timezone: str = "UTC"
    served: str = BLEND
    currency: dict[str, Any] = field(default_factory=dict)
    customers: dict[str, Any] = field(default_factory=dict)
    propensity: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()

    def headline(self) -> dict[str, Any]:
        """The figures for a list of artifacts: what is served beside popularity on new products, and the baskets."""
        baskets = {"basket": self.metrics["basket"]}
        if self.served == NEIGHBOURS:
            return baskets
        names = dict.fromkeys((self.served, BLEND, "popularity"))
        return {"new": {name: self.metrics["new"][name] for name in names}} | baskets


@dataclass(frozen=True)
class Targets:
    """What a window is measured on: all products, those that are new to the account, and of these the recent ones.

    rows: int32 (n,), at most 5,000 accounts, a seeded sample. owned: (A, P), before the window.
    bought, new, recent: bool (A, P). recent: new ones that were first sold to anybody within RECENT_DAYS before the
            window; None where the history does not tell which those are.
    """

    rows: NDArray[np.int32]
    owned: csr_matrix
    bought: csr_matrix
    new: csr_matrix
    recent: csr_matrix | None = None

    @classmethod
    def of_window(cls, learned: Interactions, window: Interactions, seed: int, start: int | None = None) -> "Targets":
        """Find what was bought in a window after the learned one.

        start: of the window, local seconds; None where it does not follow the learned one in time.
        """
        owned = owned_matrix(learned)
        bought, new = relevant_products(window, learned, None), relevant_products(window, learned, owned)
        is_recent = None if start is None else recent_products(learned, start, RECENT_DAYS)
        recent = None if is_recent is None else keep_products(new, is_recent)
        return cls(accounts_to_rank(owned, bought, MAX_ACCOUNTS, seed), owned, bought, new, recent)

    def compare(self, lists: NDArray[np.int32], new_lists: NDArray[np.int32]) -> dict[str, RankingMetrics]:
        """Measure the lists of ``rows``: int32 (n, CUT) of all products, and (n, CANDIDATES) of new ones alone."""
        compared = {"all": compare_lists(lists, self.rows, self.bought)}
        compared["new"] = self._find(self.new, new_lists[:, :CUT])
        if self.recent is not None:
            compared["recent"] = self._find(self.recent, new_lists[:, :CUT])
            compared["recent_candidates"] = self._find(self.recent, new_lists)
        return compared

    def _find(self, relevant: csr_matrix, lists: NDArray[np.int32]) -> RankingMetrics:
        """Measure the lists of the accounts that have something to find."""
        has_any = np.diff(relevant[self.rows].indptr) > 0
        return compare_lists(lists[has_any], self.rows[has_any], relevant)


def measure_targets(scorers: Sequence[Scorer], targets: Targets) -> dict[str, dict[str, RankingMetrics]]:
    """Measure every scorer on the same accounts, by target and name."""
    measured: dict[str, dict[str, RankingMetrics]] = {"new": {}, "all": {}}
    for scorer in scorers:
        lists, new = rank_products(scorer, targets.rows, (None, targets.owned), targets.owned.shape[1], CANDIDATES)
        for target, metrics in targets.compare(lists[:, :CUT], new).items():
            measured.setdefault(target, {})[scorer.name] = metrics
    return measured


def describe_targets(measured: Mapping[str, Mapping[str, RankingMetrics]], seed: int) -> dict[str, dict[str, Any]]:
    """Describe every target's models."""
    return {
        target: {name: describe_metrics(metrics, seed) for name, metrics in models.items()}
        for target, models in measured.items()
    }


def describe_metrics(metrics: RankingMetrics, seed: int) -> dict[str, Any]:
    """Estimate the means over accounts. Coverage is counted over the lists as they are, so it has no interval."""
    k = metrics.k
    coverage = Estimate(metrics.coverage, float("nan"), float("nan"), len(metrics.rows))
    return {
        f"recall@{k}": describe(estimate_mean(metrics.recall, seed)),
        f"ndcg@{k}": describe(estimate_mean(metrics.ndcg, seed)),
        f"hit_rate@{k}": describe(estimate_mean(metrics.hit_rate, seed)),
        f"coverage@{k}": describe(coverage),
    }


def rank_baskets(
    scorers: Mapping[str, BasketScorer], learned: Interactions, window: Interactions, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Hide one product of each of 4,000 random baskets of the window and look where it is ranked from the rest.

    Returns by scorer float64 (n_baskets,), see ``ranks_of_hidden``.
    """
    baskets = hide_products(window, learned.is_sold, MAX_BASKETS, seed)
    return {name: ranks_of_hidden(scorer, baskets) for name, scorer in scorers.items()}


def describe_baskets(ranks: Mapping[str, NDArray[np.float64]], seed: int) -> dict[str, Any]:
    """Describe how often the hidden product was near the top. ranks: by scorer, see ``rank_baskets``."""
    return {
        name: {f"hit@{k}": describe(estimate) for k, estimate in completion_at(ranked, BASKET_CUTS, seed).items()}
        for name, ranked in ranks.items()
    }


def describe(estimate: Estimate) -> dict[str, Any]:
    """Convert an estimate to JSON; what could not be measured (NaN) is null."""
    numbers = {"value": estimate.mean, "low": estimate.low, "high": estimate.high}
    return {name: None if np.isnan(number) else round(number, 6) for name, number in numbers.items()} | {
        "n": estimate.n
    }
