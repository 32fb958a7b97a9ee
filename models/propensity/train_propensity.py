"""How likely accounts are to buy what is no candidate of theirs, and anything of a line or a category; and the arrays.

P of candidates comes from the second stage, see ``rank_candidates``. Everything is measured on a period that is later
than what it was learned from; what is published is learned anew from the newest data.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Groups, Propensities
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, CATEGORIES, LINES, PRODUCTS
from models.candidates import CandidateLists
from models.evaluate.intervals import Estimate
from models.propensity.examples import bought_between
from models.propensity.groups import spend_factors
from models.propensity.rank_candidates import Ranking
from models.propensity.rates import Rates, learn_rates, measure_rates
from models.propensity.snapshot import Snapshot
from models.propensity.targets import index_targets
from models.propensity.train_groups import LearnedGroups, learn_groups
from models.propensity.windows import PropensityInputs, Step
from models.report import describe

MAX_LIKELY = 1 - 1e-6


@dataclass(frozen=True)
class LearnedPropensity:
    """Propensities for the artifact, their description and their tables of metrics for the report."""

    propensities: Propensities
    described: dict[str, Any]
    metrics: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def no_propensity(lists: CandidateLists, lines: Groups, categories: Groups, note: str) -> LearnedPropensity:
    """Nothing was learned; the report says why."""
    return LearnedPropensity(_nothing(lists, lines, categories), {"method": None, "note": note})


def learn_propensity(
    inputs: PropensityInputs,
    ranking: Ranking,
    lists: CandidateLists,
    p: NDArray[np.float32],
    now: Snapshot,
    groups: tuple[Groups, Groups],
    seed: int,
    step: Step,
) -> LearnedPropensity:
    """Learn how likely accounts are to buy anything else than their candidates, and anything of a line or category.

    lists, p: the candidates as of now, and P, float32 (A, C). groups: lines and categories.
    """
    lines, categories = groups
    rates, of_rates = learn_all_rates(ranking, now, categories, seed)
    early = inputs.snapshot(inputs.first_window_start(ranking.horizon_days), ranking.horizon_days)
    snapshots = [early, *(window.snapshot for window in ranking.windows), now]
    step("learn how likely accounts are to buy of a line or category")
    by_line, by_category = (learn_groups(snapshots, inputs.interactions, kind, seed) for kind in groups)
    described = ranking.described | {
        "rest": {"observed_over_expected": describe(of_rates)},
        "line": by_line.described,
        "category": by_category.described,
    }
    tables = {
        "propensity": ranking.metrics,
        "line_propensity": by_line.metrics,
        "category_propensity": by_category.metrics,
    }
    nothing = _nothing(lists, lines, categories)
    propensities = lay_out(lists, p, rates, by_line, by_category, nothing, spend_factors(now))
    return LearnedPropensity(propensities, described, {target: table for target, table in tables.items() if table})


def _nothing(lists: CandidateLists, lines: Groups, categories: Groups) -> Propensities:
    n_accounts, n_candidates = lists.products.shape
    sizes = {ACCOUNTS: n_accounts, CANDIDATES: n_candidates, PRODUCTS: len(lines.of_product)}
    return Propensities.empty(sizes | {LINES: len(lines), CATEGORIES: len(categories)})


def learn_all_rates(ranking: Ranking, now: Snapshot, categories: Groups, seed: int) -> tuple[Rates, Estimate]:
    """Learn the rates of products that are no candidates from the last window; measure those of the one before."""
    second, third = ranking.windows
    listed_then, listed_later = ranking.listed
    then, later = (bought_between(now.past, window.snapshot.as_of, now.horizon_days) for window in (second, third))
    earlier = learn_rates(second.snapshot, listed_then, then, categories.of_product)
    change = third.snapshot.novelty_rate(1).ratio_to(second.snapshot.novelty_rate(1))
    measured = measure_rates(earlier, change, third.snapshot, listed_later, later, seed)
    rates = learn_rates(third.snapshot, listed_later, later, categories.of_product)
    level = now.novelty_rate(1).ratio_to(third.snapshot.novelty_rate(1))
    return Rates(rates.of_product * level, rates.of_category * level, rates.factor), measured


def lay_out(
    lists: CandidateLists,
    candidates: NDArray[np.float32],
    rates: Rates,
    by_line: LearnedGroups,
    by_category: LearnedGroups,
    nothing: Propensities,
    factors: NDArray[np.float32],
) -> Propensities:
    """Lay out the arrays of ``Propensities``."""
    starts, accounts, places = index_targets(lists.products, candidates, len(nothing.rates))
    return Propensities(
        candidates=candidates,
        rates=np.minimum(rates.of_product, MAX_LIKELY).astype(np.float32),
        category_rates=np.minimum(rates.of_category, MAX_LIKELY).astype(np.float32),
        factors=rates.factor.astype(np.float32),
        lines=_or(by_line.likely, nothing.lines),
        categories=_or(by_category.likely, nothing.categories),
        line_averages=_or(by_line.average, nothing.line_averages),
        category_averages=_or(by_category.average, nothing.category_averages),
        line_spend=_or(by_line.spend, nothing.line_spend),
        category_spend=_or(by_category.spend, nothing.category_spend),
        spend_factors=factors,
        target_starts=starts,
        target_accounts=accounts,
        target_places=places,
    )


def _or(learned: NDArray[Any] | None, nothing: NDArray[Any]) -> NDArray[Any]:
    return nothing if learned is None else learned
