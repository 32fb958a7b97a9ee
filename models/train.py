"""Learn from a sales history: split, fit, evaluate, gate, write."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import distinct_keys
from models.artifact import (
    Artifact,
    ArtifactInvalid,
    CellTotals,
    Content,
    FileEntry,
    IdIndex,
    Manifest,
    Products,
    Propensities,
    Relationships,
    Verdict,
    open_artifact,
    write_artifact,
)
from models.artifact.segments import read_segment_report
from models.candidates import CandidateLists, list_candidates
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.customers.measure import measure_customers
from models.customers.whitespace import count_all_cells
from models.data.errors import HistoryInvalid
from models.data.history import History
from models.data.interactions import Interactions, owned_matrix
from models.data.split import Split, as_text, midnight_after, split_by_time
from models.evaluate.baskets import BasketScorer
from models.evaluate.gate import decide_publication
from models.evaluate.live import live_scorer, recorded_floor
from models.evaluate.ranking import RankingMetrics
from models.products.completion import fit_pairs
from models.products.relationships import mine_relationships
from models.propensity.live import compare_live
from models.propensity.train_propensity import Learned, learn_propensity
from models.ranking.baskets import Neighbours, fit_neighbours
from models.ranking.blend import BlendScorer
from models.ranking.choose import choose_blend
from models.ranking.fit import FittedRankers, fit_rankers
from models.ranking.scorer import Scorer
from models.ranking.settings import BlendWeights, RankingParameters
from models.ranking.tune import tune
from models.report import CUT, Report, describe_targets, measure_baskets, measure_targets

LIBRARIES = ("implicit", "numpy", "scikit-learn", "scipy")

Step = Callable[[str], None]


@dataclass(frozen=True)
class TrainingOptions:
    """What one training run is asked for; ``as_of`` is epoch seconds, by default the midnight after the last line."""

    as_of: int | None = None
    horizon_days: int = 90
    seed: int = 0
    is_tuned: bool = False
    is_forced: bool = False


@dataclass(frozen=True)
class Trained:
    """A written artifact."""

    folder: Path
    manifest: Manifest
    report: Report


@dataclass(frozen=True)
class Chosen:
    """What the validation window decided, and the rankers that it was decided with."""

    parameters: RankingParameters
    weights: BlendWeights
    fitted: FittedRankers


def train(history: History, options: TrainingOptions, root: Path, live: Path | None, step: Step) -> Trained:
    """Learn, evaluate on the held-out period, and write the artifact under ``root``.

    live: the folder of the artifact in use, which the new one must not fall behind.
    step: told what is going on.
    The artifact is written whether the gate approves it or not; only an approved one should be published. Raises
    HistoryInvalid if there is too little to learn from.
    """
    interactions = _until(history.interactions, options.as_of)
    split = split_by_time(
        interactions, options.as_of or midnight_after(interactions.time), options.horizon_days, options.seed
    )
    chosen = choose(interactions, split, options, step)
    report, evaluated = evaluate(interactions, split, chosen, options, live, step)
    step("value and segment every account")
    before = open_live(live)
    accounts, described = learn_accounts(interactions, history.products, history.accounts, split.as_of, before)
    final = fit_finally(interactions, history.products, split.as_of, chosen, evaluated, step)
    propensity = learn_propensity(
        Learned(
            interactions,
            history.products,
            history.accounts,
            split,
            (chosen.fitted, evaluated),
            chosen.weights,
            final.lists,
            accounts.lines,
            accounts.categories,
        ),
        options.seed,
        step,
    )
    report = replace(
        report,
        metrics=report.metrics | propensity.metrics,
        customers=described,
        propensity=propensity.described | compare_live(before, interactions, split.as_of, propensity, options.seed),
    )
    content = lay_out(interactions, history.products, final, accounts, propensity.propensities, report)
    step("write the artifact")

    def describe(files: dict[str, FileEntry]) -> Manifest:
        return describe_artifact(history, interactions, split, report, files)

    folder = write_artifact(root, content, describe)
    return Trained(folder, open_artifact(folder, verify=False).manifest, report)


def describe_artifact(
    history: History, interactions: Interactions, split: Split, report: Report, files: dict[str, FileEntry]
) -> Manifest:
    """Say what was learned from, and how it was judged."""
    return Manifest(
        as_of=as_text(split.as_of),
        data_fingerprint=history.fingerprint,
        # A history that was cut says nothing of the changes that it holds: a service then looks at them all.
        sequence=history.sequence if len(interactions.time) == len(history.interactions.time) else None,
        counts={
            "accounts": interactions.n_accounts,
            "products": interactions.n_products,
            "orders": len(distinct_keys(interactions.order.astype(np.int64))),
            "order_lines": interactions.n_lines,
        },
        parameters=report.parameters,
        metrics=report.headline(),
        verdict=report.verdict,
        library_versions={name: version(name) for name in LIBRARIES},
        files=files,
    )


def choose(interactions: Interactions, split: Split, options: TrainingOptions, step: Step) -> Chosen:
    """Choose hyperparameters (if asked) and the blend's weights on the validation window alone."""
    learned, validation = interactions.select(split.learn), interactions.select(split.validation)
    parameters = RankingParameters(seed=options.seed)
    if options.is_tuned:
        parameters, _ = tune(learned, validation, split.validation_start, parameters, step)
    step("fit on the earliest part")
    fitted = fit_rankers(learned, split.validation_start, parameters, step)
    step("choose the blend on the validation window")
    return Chosen(parameters, choose_blend(fitted, learned, validation), fitted)


def evaluate(
    interactions: Interactions, split: Split, chosen: Chosen, options: TrainingOptions, live: Path | None, step: Step
) -> tuple[Report, FittedRankers]:
    """Fit on all but the held-out period, measure on it beside popularity and the live artifact, and decide."""
    learned, holdout = interactions.select(~split.holdout), interactions.select(split.holdout)
    step("fit on all but the held-out period")
    fitted = fit_rankers(learned, split.holdout_start, chosen.parameters, step, warm=chosen.fitted)
    neighbours = fit_neighbours(learned, split.holdout_start, chosen.parameters)
    step("evaluate on the held-out period")
    in_use = open_live(live)
    comparable = in_use if in_use and in_use.manifest.as_of <= as_text(split.holdout_start) else None
    scorers: list[Scorer] = [BlendScorer(fitted, chosen.weights), *fitted.scorers]
    if comparable:
        scorers.append(live_scorer(comparable, interactions))
    measured = measure_targets(scorers, learned, holdout, options.seed)
    verdict = decide(measured["new"], in_use, options)
    metrics = describe_targets(measured, options.seed)
    baskets: dict[str, BasketScorer] = {"neighbours": neighbours, "popularity": fitted.popularity, **fit_pairs(learned)}
    metrics["basket"] = measure_baskets(baskets, learned, holdout, options.seed)
    metrics |= measure_customers(interactions, split, options.seed)
    parameters = chosen.parameters.to_json() | {"blend": asdict(chosen.weights)}
    return Report(metrics, split.describe(), split.notice, parameters, verdict), fitted


def decide(measured: Mapping[str, RankingMetrics], live: Artifact | None, options: TrainingOptions) -> Verdict:
    """Ask the gate; --force approves whatever it says, and is recorded."""
    ndcg = {name: metrics.ndcg for name, metrics in measured.items()}
    beside = ndcg.get("live", recorded_floor(live, f"ndcg@{CUT}") if live else None)
    decision = decide_publication(ndcg["blend"], ndcg["popularity"], beside, options.seed)
    return Verdict(
        is_approved=decision.is_published or options.is_forced,
        reason=decision.reason,
        is_forced=options.is_forced and not decision.is_published,
    )


@dataclass(frozen=True)
class Final:
    """What is learned from the whole history, for serving."""

    owned: csr_matrix
    popularity: NDArray[np.float32]
    neighbours: Neighbours
    relationships: Relationships
    lists: CandidateLists


def fit_finally(
    interactions: Interactions, products: Products, as_of: int, chosen: Chosen, evaluated: FittedRankers, step: Step
) -> Final:
    """Fit on everything."""
    step("fit on everything")
    fitted = fit_rankers(interactions, as_of, chosen.parameters, step, warm=evaluated)
    neighbours = fit_neighbours(interactions, as_of, chosen.parameters)
    step("mine the relationships between products")
    relationships = mine_relationships(interactions, products)
    step("list and explain every account's candidates")
    owned = owned_matrix(interactions)
    lists = list_candidates(BlendScorer(fitted, chosen.weights), owned, products.is_active)
    return Final(owned, fitted.popularity.popularity, neighbours, relationships, lists)


def lay_out(
    interactions: Interactions,
    products: Products,
    final: Final,
    accounts: LearnedAccounts,
    propensities: Propensities,
    report: Report,
) -> Content:
    """Lay out what serving reads."""
    popularity, lists = final.popularity, final.lists
    popular = np.lexsort((np.arange(len(popularity)), -popularity)).astype(np.int32)
    content = Content(
        account_ids=_index(interactions.account_ids),
        products=products,
        popular_products=popular,
        popular_scores=popularity[popular],
        owned_offsets=final.owned.indptr.astype(np.int64),
        owned_products=final.owned.indices.astype(np.int32),
        owned_scores=lists.owned_scores,
        candidate_products=lists.products,
        candidate_scores=lists.scores,
        candidate_reasons=lists.reasons,
        neighbour_products=final.neighbours.products,
        neighbour_scores=final.neighbours.scores,
        relationships=final.relationships,
        propensities=propensities,
        line_cells=CellTotals.empty(),
        category_cells=CellTotals.empty(),
        **vars(accounts),
        report=report.to_json(),
    )
    as_of_day = read_segment_report(accounts.segments)["as_of_day"]
    horizon_days = report.propensity.get("horizon_days", 0.0)
    rooms = content.line_demand(as_of_day, horizon_days), content.category_demand(as_of_day, horizon_days)
    by_line, by_category = (count_all_cells(room, accounts.segments) for room in rooms)
    return replace(content, line_cells=by_line, category_cells=by_category)


def open_live(folder: Path | None) -> Artifact | None:
    """Open the artifact in use; a broken one is nothing to compare with."""
    try:
        return open_artifact(folder) if folder else None
    except ArtifactInvalid:
        return None


def _until(interactions: Interactions, as_of: int | None) -> Interactions:
    kept = interactions if as_of is None else interactions.select(interactions.time < as_of)
    if not kept.is_known.any():
        until = f" before {as_text(as_of)}" if as_of is not None else ""
        raise HistoryInvalid("the sales history", [f"no order line{until} names an account"])
    return kept


def _index(identifiers: NDArray[np.object_]) -> IdIndex:
    return IdIndex.of(identifiers.tolist())
