"""Three windows of a history: a snapshot at the start of each, its candidates, and what was bought of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Groups, Products
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, CATEGORIES, LINES, PRODUCTS
from models.artifact.sections import Dimension
from models.candidates import CandidateLists
from models.data.accounts import AccountFacts
from models.data.day_zone import DayZone
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS, Split, format_local
from models.evaluate.calibration import Predictions, describe_examples
from models.propensity.calibration import Examples
from models.propensity.examples import ListedCandidates, bought_between, examples_at, list_candidates_at
from models.propensity.snapshot import Snapshot
from models.ranking.blend import BlendScorer
from models.ranking.fit import FittedRankers, fit_rankers
from models.ranking.settings import BlendWeights

Step = Callable[[str], None]


@dataclass(frozen=True)
class PropensityInputs:
    """The history, and the rankers and groups that were learned from it.

    rankers: fitted before the validation window, and before the held-out one. lists: as of ``split.as_of``.
    """

    interactions: Interactions
    products: Products
    facts: AccountFacts
    split: Split
    rankers: tuple[FittedRankers, FittedRankers]
    weights: BlendWeights
    lists: CandidateLists
    lines: Groups
    categories: Groups

    def sizes(self) -> dict[Dimension, int]:
        """The dimensions of ``Propensities``."""
        n_accounts, n_candidates = self.lists.products.shape
        return {
            ACCOUNTS: n_accounts,
            CANDIDATES: n_candidates,
            PRODUCTS: len(self.products.ids),
            LINES: len(self.lines),
            CATEGORIES: len(self.categories),
        }

    def snapshot(self, as_of: int, horizon_days: float) -> Snapshot:
        """Cut the history off at a time (local seconds)."""
        past = self.interactions.select(self.interactions.time < as_of)
        return Snapshot(past, self.products, self.facts, as_of, horizon_days)

    def horizon_days(self) -> float:
        """The horizon of predictions: the report's, or half of the history before its windows if that is shorter."""
        if not self.split.is_by_time:
            return 0.0
        horizon = (self.split.as_of - self.split.holdout_start) / DAY_SECONDS
        known_days = (self.split.validation_start - int(self.interactions.time.min())) / DAY_SECONDS
        return min(horizon, known_days // 2)

    def first_window_start(self, horizon_days: float) -> int:
        """The start of the first of three windows, local seconds."""
        return self.split.validation_start - round(horizon_days * DAY_SECONDS)

    def begins_early(self, horizon_days: float) -> bool:
        """Whether any account owns something when the first window begins."""
        return bool(owned_matrix(self.snapshot(self.first_window_start(horizon_days), horizon_days).past).nnz)


@dataclass(frozen=True)
class Window:
    """One snapshot, its candidates, and their outcomes within the horizon. popularity: float32 (P,), as of then."""

    snapshot: Snapshot
    listed: ListedCandidates
    examples: Examples
    popularity: NDArray[np.float32]


def learn_windows(inputs: PropensityInputs, horizon: float, seed: int, step: Step) -> list[Window]:
    """List the candidates of three snapshots, each as it was then, and find which were bought."""
    split, interactions = inputs.split, inputs.interactions
    early = inputs.first_window_start(horizon)
    before = interactions.select(interactions.time < early)
    rankers = (fit_rankers(before, early, inputs.rankers[0].parameters, step), *inputs.rankers)
    windows = []
    for start, ranker in zip((early, split.validation_start, split.holdout_start), rankers, strict=True):
        snapshot = inputs.snapshot(start, horizon)
        listed = list_candidates_at(snapshot, BlendScorer(ranker, inputs.weights), seed)
        examples = examples_at(snapshot, listed, bought_between(interactions, start, horizon))
        windows.append(Window(snapshot, listed, examples, ranker.popularity.popularity))
    return windows


def describe_window(window: Window, zone: DayZone) -> dict[str, Any]:
    """Describe a window for the report: its start, and its examples."""
    examples = window.examples
    predictions = Predictions(examples.score.astype(np.float64), examples.is_true, examples.account)
    return {"begins": format_local(window.snapshot.as_of, zone)} | describe_examples(predictions)
