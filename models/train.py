"""Learn from a sales history: split, fit, evaluate, gate, write."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    open_artifact,
    write_artifact,
)
from models.artifact.segments import read_segment_report
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.customers.whitespace import count_all_cells
from models.data.day_zone import DayZone
from models.data.errors import HistoryInvalid
from models.data.history import History
from models.data.interactions import Interactions
from models.data.plausible_times import describe_left_out, is_plausible
from models.data.split import DAY_SECONDS, Split, format_local, midnight_after, split_by_time
from models.evaluate.holdout import Chosen, choose, conclude, evaluate
from models.export_factors import export_factors
from models.final_models import FinalModels, fit_finally
from models.propensity.artifact_in_use import compare_with_outcomes
from models.propensity.rank_candidates import Ranking, learn_ranking
from models.propensity.train_propensity import LearnedPropensity, learn_propensity, no_propensity
from models.propensity.windows import PropensityInputs
from models.report import Report

LIBRARIES = ("implicit", "lightgbm", "numpy", "scikit-learn", "scipy")

Step = Callable[[str], None]


@dataclass(frozen=True)
class TrainingOptions:
    """What one training run is asked for.

    as_of: local seconds of the history's zone, by default the midnight after the last line of a plausible time.
    factors_folder: where the factors of ALS are written, if anywhere.
    now:   epoch seconds; by default the clock's.
    """

    as_of: int | None = None
    horizon_days: int = 90
    seed: int = 0
    is_tuned: bool = False
    is_forced: bool = False
    now: int | None = None
    label: str = ""
    factors_folder: Path | None = None


@dataclass(frozen=True)
class Trained:
    """A written artifact."""

    folder: Path
    manifest: Manifest
    report: Report


def train(history: History, options: TrainingOptions, root: Path, in_use_folder: Path | None, step: Step) -> Trained:
    """Learn, evaluate on the held-out period, and write the artifact under ``root``.

    in_use_folder: the artifact in use, which the new one must not fall behind.
    step: called with the name of each step as it begins.
    The artifact is written whether the gate approves it or not; only an approved one should be published. Raises
    HistoryInvalid if there is too little to learn from.
    """
    interactions, left_out = _select_lines(history, options)
    as_of = options.as_of or midnight_after(interactions.time)
    goods = merchandise_of(interactions, history.products)
    split = split_by_time(goods, as_of, options.horizon_days, options.seed, history.zone)
    split = replace(split, notice="; ".join(filter(None, (split.notice, left_out))))
    in_use = open_in_use(in_use_folder)
    chosen = choose(goods, split, options.seed, step, is_tuned=options.is_tuned)
    evaluated = evaluate(goods, split, chosen, in_use, step)
    day = split.as_of // DAY_SECONDS
    valued = replace(history, products=history.valued_products(day))
    rankers = (chosen.fitted, evaluated.fitted)
    inputs = PropensityInputs(goods, valued.products, history.accounts, split, rankers, chosen.weights)
    ranking = learn_ranking(inputs, evaluated.targets, options.seed, step)
    served = {} if isinstance(ranking, str) else ranking.measured
    report = conclude(evaluated, served, split, chosen, in_use, is_forced=options.is_forced)
    step("value and segment every account")
    currency = describe_currency(history, day)
    accounts, described = learn_accounts(
        interactions, valued.products, history.accounts, split.as_of, in_use, currency["reporting"], split.zone.name
    )
    final, propensity = fit_and_predict(inputs, chosen, ranking, accounts, options.seed, step)
    report = replace(
        report,
        metrics=report.metrics | propensity.metrics,
        currency=currency,
        customers=described,
        propensity=propensity.described
        | compare_with_outcomes(in_use, goods, split.as_of, propensity, options.seed, split.zone),
    )
    content = lay_out(interactions, history.products, final, accounts, propensity.propensities, report)
    step("write the artifact")

    def describe(files: dict[str, FileEntry]) -> Manifest:
        return describe_artifact(history, interactions, split, report, files, options.label)

    if options.factors_folder:
        export_factors(final.als, goods, options.factors_folder)
    folder = write_artifact(root, content, describe)
    return Trained(folder, open_artifact(folder, verify=False).manifest, report)


def fit_and_predict(
    inputs: PropensityInputs,
    chosen: Chosen,
    ranking: Ranking | str,
    accounts: LearnedAccounts,
    seed: int,
    step: Step,
) -> tuple[FinalModels, LearnedPropensity]:
    """Fit on everything, and predict. ranking: a text says why there is no second stage."""
    lines, categories = accounts.lines, accounts.categories
    if isinstance(ranking, str):
        final = fit_finally(inputs, chosen, None, step)
        return final, no_propensity(final.lists, lines, categories, ranking)
    now = inputs.snapshot(inputs.split.as_of, ranking.horizon_days)
    final = fit_finally(inputs, chosen, (ranking, now), step)
    return final, learn_propensity(inputs, ranking, final.lists, final.p, now, (lines, categories), seed, step)


def describe_artifact(
    history: History,
    interactions: Interactions,
    split: Split,
    report: Report,
    files: dict[str, FileEntry],
    label: str = "",
) -> Manifest:
    """Make the manifest: the data that was learned from, the parameters and the verdict."""
    return Manifest(
        as_of=format_local(split.as_of, split.zone),
        data_fingerprint=history.fingerprint,
        # A history that was cut lacks some of these changes: the service then replays all of them.
        reporting_currency=report.currency.get("reporting"),
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
        label=label,
        timezone=split.zone.name,
    )


def describe_currency(history: History, day: int) -> dict[str, Any]:
    """Describe the money of a history for the report.

    reporting: the currency of every figure, null where nothing names one. lines: order lines by their own currency, and
    those whose money is left out because no exchange rate was valid on their day. minor_factors: by currency, minor
    units of the reporting one for one minor unit of it on the artifact's day, empty for prices that name none.
    """
    return {
        "reporting": history.exchange.reporting or None,
        "lines": [
            {"currency": each.currency or None, "lines": each.lines, "unconverted_lines": each.unconverted}
            for each in history.currency_lines
        ],
        "minor_factors": history.exchange.factors_on(day, history.products.currencies),
    }


def lay_out(
    interactions: Interactions,
    products: Products,
    final: FinalModels,
    accounts: LearnedAccounts,
    propensities: Propensities,
    report: Report,
) -> Content:
    """Lay out the arrays that serving reads."""
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
        evidence=final.evidence,
        propensities=propensities,
        line_cells=CellTotals.empty(),
        category_cells=CellTotals.empty(),
        **vars(accounts),
        report=report.to_json(),
    )
    as_of_day = read_segment_report(accounts.segments)["as_of_day"]
    horizon_days = report.propensity.get("horizon_days", 0.0)
    return replace(
        content,
        line_cells=count_all_cells(content.line_demand(as_of_day, horizon_days), accounts.segments),
        category_cells=count_all_cells(content.category_demand(as_of_day, horizon_days), accounts.segments),
    )


def open_in_use(folder: Path | None) -> Artifact | None:
    """Open the artifact in use; None where there is none, or a broken one, which is nothing to compare with."""
    try:
        return open_artifact(folder) if folder else None
    except ArtifactInvalid:
        return None


def _until(interactions: Interactions, as_of: int | None, zone: DayZone) -> Interactions:
    kept = interactions if as_of is None else interactions.select(interactions.time < as_of)
    if not kept.is_known.any():
        until = f" before {format_local(as_of, zone)}" if as_of is not None else ""
        raise HistoryInvalid("the sales history", [f"no order line{until} names an account"])
    return kept


def _select_lines(history: History, options: TrainingOptions) -> tuple[Interactions, str]:
    """The lines to learn from, and a note on those that are left out for their times."""
    interactions, zone = history.interactions, history.zone
    if options.as_of is not None:
        return _until(interactions, options.as_of, zone), ""
    now = options.now if options.now is not None else int(time.time())
    is_kept = is_plausible(interactions.time, zone.to_local_second(now))
    if is_kept.all():
        return _until(interactions, None, zone), ""
    left_out = describe_left_out(interactions, is_kept)
    if not is_kept.any():
        raise HistoryInvalid("the sales history", [left_out])
    return _until(interactions.select(is_kept), None, zone), left_out


def merchandise_of(interactions: Interactions, products: Products) -> Interactions:
    """Leave out fees, shipping, gift cards and the like: nothing is to be learned from them of what goes together."""
    if products.is_merchandise.all():
        return interactions
    goods = interactions.select(products.is_merchandise[interactions.product])
    if not goods.is_known.any():
        raise HistoryInvalid("the sales history", ["no order line of an account names merchandise"])
    return goods


def _index(identifiers: NDArray[np.object_]) -> IdIndex:
    return IdIndex.from_ids(identifiers.tolist())
