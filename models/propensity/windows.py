"""Windows of a history: a snapshot at the start of each, its candidates, and what was bought of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import offsets_of
from models.artifact import Products
from models.data.accounts import AccountFacts
from models.data.day_zone import DayZone
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS, Split, format_local
from models.evaluate.calibration import Predictions, describe_examples
from models.propensity.calibration import Examples
from models.propensity.examples import bought_between, examples_at, sample_of_known
from models.propensity.pair_tables import PairTables, learn_tables
from models.propensity.repeats import RepeatTables
from models.propensity.snapshot import Snapshot
from models.ranking.blend import BlendScorer
from models.ranking.cold_products import ColdProducts
from models.ranking.content import content_vectors
from models.ranking.fit import FittedRankers
from models.ranking.settings import BlendWeights
from models.ranking.shortlist import FirstStage, Shortlist
from models.ranking.weights import look_up

Step = Callable[[str], None]


@dataclass(frozen=True)
class PropensityInputs:
    """The history, and the rankers that were learned from it.

    rankers: fitted before the validation window, and before the held-out one.
    """

    interactions: Interactions
    products: Products
    facts: AccountFacts
    split: Split
    rankers: tuple[FittedRankers, FittedRankers]
    weights: BlendWeights

    @cached_property
    def content(self) -> NDArray[np.float32]:
        """Float32 (P, d), see ``content_vectors``."""
        return content_vectors(self.products, self.rankers[0].parameters.seed)

    def without_extra_scores(self, weights: BlendWeights) -> "PropensityInputs":
        """The same without extra scores. weights: of the other rankers."""
        before_validation, before_holdout = (rankers.without_extra_scores() for rankers in self.rankers)
        return replace(self, rankers=(before_validation, before_holdout), weights=weights)

    def snapshot(self, as_of: int, horizon_days: float) -> Snapshot:
        """Cut the history off at a time (local seconds)."""
        past = self.interactions.select(self.interactions.time < as_of)
        return Snapshot(past, self.products, self.facts, as_of, horizon_days)

    def horizon_days(self) -> float:
        """The horizon of predictions: the report's where the history before its windows is as long, else a shorter one.

        Lines and categories learn from a window before the two of the report: some account has to own something then.
        """
        if not self.split.is_by_time:
            return 0.0
        horizon = (self.split.as_of - self.split.holdout_start) / DAY_SECONDS
        known_days = (self.split.validation_start - int(self.interactions.time.min())) / DAY_SECONDS
        longest = float(min(horizon, known_days // 1))
        return longest if longest > 0 and self.begins_early(longest) else min(horizon, known_days // 2)

    def first_window_start(self, horizon_days: float) -> int:
        """The start of the first of three windows, local seconds."""
        return self.split.validation_start - round(horizon_days * DAY_SECONDS)

    def begins_early(self, horizon_days: float) -> bool:
        """Whether any account owns something when the first window begins."""
        return bool(owned_matrix(self.snapshot(self.first_window_start(horizon_days), horizon_days).past).nnz)


@dataclass(frozen=True)
class SnapshotModels:
    """A snapshot with the rankers and feature tables of its time, by which candidates are listed and described."""

    snapshot: Snapshot
    first_stage: FirstStage
    tables: PairTables
    repeats: RepeatTables

    @classmethod
    def from_snapshot(
        cls,
        snapshot: Snapshot,
        fitted: FittedRankers,
        weights: BlendWeights,
        content: NDArray[np.float32],
        unlisted: csr_matrix | None = None,
    ) -> "SnapshotModels":
        """Compute the tables. content: (P, d), see ``content_vectors``. unlisted: see ``FirstStage``."""
        owned = owned_matrix(snapshot.past)
        is_offerable = snapshot.products.is_offerable
        cold = ColdProducts.from_past(snapshot.past, snapshot.as_of, is_offerable, fitted.strength, content)
        first_stage = FirstStage(BlendScorer(fitted, weights), owned, is_offerable, unlisted, cold)
        tables = learn_tables(snapshot, fitted.similar_accounts.similar)
        return cls(snapshot, first_stage, tables, RepeatTables.from_snapshot(snapshot, owned))


@dataclass(frozen=True)
class Window:
    """One snapshot, the candidates of a sample of accounts, and their outcomes within the horizon.

    product:     int32 (n,), of each example.
    repeats:     float32 (m, F), features of what the accounts own.
    is_repeated: bool (m,), whether they bought it again.
    """

    models: SnapshotModels
    listed: Shortlist
    examples: Examples
    product: NDArray[np.int32]
    repeats: NDArray[np.float32]
    is_repeated: NDArray[np.bool_]

    @property
    def snapshot(self) -> Snapshot:
        return self.models.snapshot

    @property
    def owned_offsets(self) -> NDArray[np.int64]:
        """Int64: what account k of the list owns has the entries ``[offsets[k]:offsets[k + 1]]`` of ``repeats``."""
        return offsets_of(np.diff(self.models.first_stage.owned.indptr)[self.listed.rows])


def learn_window(inputs: PropensityInputs, place: int, horizon: float, rows: NDArray[np.int32], seed: int) -> Window:
    """List and describe candidates as they would have been, and find which were bought.

    place: 0 for the validation window, 1 for the held-out one. rows: accounts that are listed beside a sample.
    """
    start = (inputs.split.validation_start, inputs.split.holdout_start)[place]
    snapshot, rankers = inputs.snapshot(start, horizon), inputs.rankers[place]
    models = SnapshotModels.from_snapshot(snapshot, rankers, inputs.weights, inputs.content)
    owned = models.first_stage.owned
    listed = models.first_stage.shortlist(np.union1d(sample_of_known(owned, seed), rows).astype(np.int32))
    bought = bought_between(inputs.interactions, start, horizon)
    account = np.repeat(listed.rows, np.diff(owned.indptr)[listed.rows])
    product = owned[listed.rows].indices
    return Window(
        models,
        listed,
        examples_at(models.snapshot, models.tables, listed, bought),
        listed.products[listed.is_pair],
        models.repeats.features_of(listed),
        look_up(bought, account[:, None], product[:, None])[:, 0] > 0,
    )


def describe_window(window: Window, zone: DayZone) -> dict[str, Any]:
    """Describe a window for the report: its start, and its examples."""
    examples = window.examples
    predictions = Predictions(examples.score.astype(np.float64), examples.is_true, examples.account)
    return {"begins": format_local(window.snapshot.as_of, zone)} | describe_examples(predictions)
