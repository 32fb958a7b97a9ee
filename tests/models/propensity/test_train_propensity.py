"""The whole of the learning on a world whose probabilities are known."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import train as training
from models.artifact import NO_ROW, Content, Groups, Propensities, open_artifact
from models.artifact.propensities import NEVER_BOUGHT
from models.artifact.whitespace import count_cells
from models.evaluate import calibration
from models.final_models import FinalModels
from models.propensity import calibration as procedure
from models.propensity.rank_candidates import learn_ranking
from models.propensity.train_propensity import LearnedPropensity
from models.report import Targets
from models.train import TrainingOptions, train
from tests.models.propensity.truths import (
    ACCOUNTS,
    CATEGORIES,
    DAYS,
    HORIZON_DAYS,
    LINES,
    PRODUCTS,
    PROSPECTS,
    Truth,
)

TRUTH = Truth()


RESAMPLES = 20
"""Fewer than in earnest: intervals need not be exact here."""


@dataclass(frozen=True)
class World:
    """What was learned, and the truth by its rows: NaN for prospects, of whom there is none."""

    content: Content
    report: dict[str, Any]
    chance: NDArray[np.float64]
    product: NDArray[np.int64]
    account: NDArray[np.int64]
    given: tuple[Any, ...]
    folder: Path

    @property
    def described(self) -> dict[str, Any]:
        return dict(self.report["propensity"])

    def is_seen(self) -> NDArray[np.bool_]:
        """Bool (A, P): what accounts own or have among their candidates."""
        content = self.content
        seen = np.zeros(self.chance.shape, dtype=np.bool_)
        for row in range(len(seen)):
            seen[row, content.owned_by(row)] = True
            candidates = content.candidate_products[row]
            seen[row, candidates[candidates != NO_ROW]] = True
        return seen


def learn(truth: Truth, root: Path) -> World:
    """Train, and keep what the last step of the learning was given."""
    given: list[tuple[Any, ...]] = []

    def fit_and_keep(*arguments: Any) -> tuple[FinalModels, LearnedPropensity]:
        given.append(arguments)
        return fit_finally(*arguments)

    fit_finally = training.fit_and_predict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "fit_and_predict", fit_and_keep)
        trained = train(truth.history(), TrainingOptions(horizon_days=HORIZON_DAYS), root, None, lambda _: None)
    content = open_artifact(trained.folder).content
    account, product = (
        np.array([int(text[1:]) for text in texts]) for texts in (content.account_ids.texts, content.products.ids.texts)
    )
    chance = np.full((ACCOUNTS + PROSPECTS, PRODUCTS), np.nan)
    chance[:ACCOUNTS] = truth.chance()
    report = json.loads(content.report)
    return World(content, report, chance[account][:, product], product, account, given[0], trained.folder)


@pytest.fixture(scope="module", autouse=True)
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "RESAMPLES", RESAMPLES)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return learn(TRUTH, tmp_path_factory.mktemp("artifacts"))


def candidates_of(
    world: World, propensities: Propensities | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The predicted and the true probability of every candidate."""
    row, place = np.nonzero(world.content.candidate_products != NO_ROW)
    p = (propensities or world.content.propensities).candidates[row, place].astype(np.float64)
    return p, world.chance[row, world.content.candidate_products[row, place]]


def calibration_error(p: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Mean difference between predicted and true probability, averaged in tenths by predicted probability."""
    tenths = np.array_split(np.argsort(p), 10)
    return float(np.mean([abs(p[rows].mean() - truth[rows].mean()) for rows in tenths]))


def test_the_probabilities_of_candidates_are_recovered(world: World) -> None:
    p, truth = candidates_of(world)

    # 2,400 purchases calibrate them, 800 on either side make the novelty rate: sqrt(1 / 2400 + 2 / 800) = .054.
    assert world.described["method"] == "model"
    assert truth.sum() / p.sum() == pytest.approx(1, abs=3 * 0.054)
    assert calibration_error(p, truth) < 3 * 0.054 * truth.mean()
    assert np.corrcoef(p, truth)[0, 1] > 0.5


def test_the_report_measures_the_model_on_an_unseen_period(world: World) -> None:
    measured = world.report["metrics"]["propensity"]["model"]

    ratio = measured["observed_over_expected"]
    assert measured["calibration_error"]["value"] < 0.005
    assert ratio["low"] < 1.02
    assert ratio["high"] > 0.98
    assert (
        measured["average_precision"]["value"]
        > world.report["metrics"]["propensity"]["score"]["average_precision"]["value"]
    )
    assert [window["accounts"] for window in world.described["windows"]] == sorted(
        window["accounts"] for window in world.described["windows"]
    )


def test_rates_of_what_is_no_candidate_are_recovered(world: World) -> None:
    codes = world.content.segments.codes[:, 1]
    factors = world.content.propensities.factors[np.where(codes < 0, NEVER_BOUGHT, codes)]
    rest = ~world.is_seen() & np.isfinite(world.chance)
    p = (factors[:, None] * world.content.propensities.rates)[rest].astype(np.float64)

    # In the window before the reported one, some 300 purchases tell the rates, 800 on either side the novelty rate.
    ratio = world.described["rest"]["observed_over_expected"]
    assert world.chance[rest].sum() / p.sum() == pytest.approx(1, abs=3 * 0.076)
    assert calibration_error(p, world.chance[rest]) < 0.3 * world.chance[rest].mean()
    assert ratio["value"] == pytest.approx(1, abs=3 * 0.076)


def test_rates_of_categories_are_recovered(world: World) -> None:
    rest = ~world.is_seen() & np.isfinite(world.chance)
    of_product = world.content.categories.of_product

    for category in range(CATEGORIES):
        chance = world.chance[:, of_product == category][rest[:, of_product == category]]
        # A rate is told by the purchases of one window: some 20 to 40.
        error = 3 / np.sqrt(chance.sum())
        assert world.content.propensities.category_rates[category] == pytest.approx(chance.mean(), rel=error)
    # The lists of the window before found less of what was bought than today's do: rates are somewhat too high.
    assert world.content.propensities.category_rates[-1] == pytest.approx(world.chance[rest].mean(), rel=0.2)


def chance_of(world: World, groups: Groups) -> NDArray[np.float64]:
    """P(anything of a group within the horizon), (A, G), NaN where an account owns something of it."""
    none_of = np.ones((len(world.chance), len(groups)))
    for group in range(len(groups)):
        none_of[:, group] = (1 - world.chance[:, groups.of_product == group]).prod(axis=1)
    return np.where(groups.is_owned(slice(None)), np.nan, 1 - none_of)


@pytest.mark.parametrize(("kind", "error"), [("lines", 0.08), ("categories", 0.06)])
def test_probabilities_of_lines_and_categories_are_recovered(world: World, kind: str, error: float) -> None:
    """error: of the level by chance. Some 600 or 1,000 purchases calibrate it, a third of them give the novelty."""
    truth, p = chance_of(world, getattr(world.content, kind)), getattr(world.content.propensities, kind)

    is_open = np.isfinite(truth)
    assert is_open.sum() > 2_000
    assert truth[is_open].sum() / p[is_open].astype(np.float64).sum() == pytest.approx(1, abs=3 * error)
    assert calibration_error(p[is_open].astype(np.float64), truth[is_open]) < 4 * error * truth[is_open].mean()


def test_expected_revenue_is_what_is_then_spent(world: World) -> None:
    content, prices = world.content, TRUTH.prices[world.product]
    demands = (content.line_demand(0, HORIZON_DAYS), content.category_demand(0, HORIZON_DAYS))
    for demand in demands:
        is_open = ~demand.groups.is_owned(slice(None)) & np.isfinite(world.chance[:, :1])
        spent = np.zeros(is_open.shape)
        for group in range(len(demand.groups)):
            inside = demand.groups.of_product == group
            spent[:, group] = world.chance[:, inside] @ prices[inside]

        cells = count_cells(demand, np.where(is_open.any(axis=1), 0, -1).astype(np.int16), 1)

        assert spent[is_open].sum() / cells.expected_minor.sum() == pytest.approx(1, abs=0.25)


def test_usual_spend_is_what_who_buys_of_a_group_spends_on_it(world: World) -> None:
    content, prices = world.content, TRUTH.prices[world.product]
    for group in range(CATEGORIES):
        inside = content.categories.of_product == group
        is_open = ~content.categories.is_owned(slice(None))[:, group] & np.isfinite(world.chance[:, 0])
        chance = world.chance[np.ix_(is_open, inside)]
        truth = (chance @ prices[inside]).sum() / (1 - (1 - chance).prod(axis=1)).sum()
        # A category has some forty adopters whose spends spread by half of their mean.
        assert content.propensities.category_spend[group, 0] == pytest.approx(truth, rel=0.4)


def test_no_probability_is_zero_or_one(world: World) -> None:
    p, owned = world.content.propensities, world.content.candidate_products
    is_open = [~groups.is_owned(slice(None)) for groups in (world.content.lines, world.content.categories)]
    everything = (
        p.candidates[owned != NO_ROW], p.rates, p.category_rates, p.lines[is_open[0]],
        p.categories[is_open[1]], p.line_averages, p.category_averages,
    )  # fmt: skip
    for values in everything:
        assert len(values)
        assert (values > 0).all()
        assert (values < 1).all()
    assert (p.factors > 0).all()
    assert np.isnan(p.candidates[owned == NO_ROW]).all()
    assert np.isnan(p.lines[~is_open[0]]).all()
    assert np.isnan(p.categories[~is_open[1]]).all()


def test_an_account_that_never_bought_is_taken_for_an_average_one(world: World) -> None:
    propensities = world.content.propensities
    prospects = world.account >= ACCOUNTS

    assert prospects.sum() == PROSPECTS
    assert (propensities.lines[prospects] == propensities.line_averages.astype(np.float16)).all()
    assert (propensities.categories[prospects] == propensities.category_averages.astype(np.float16)).all()
    assert (propensities.spend_factors[prospects] == 1).all()
    assert propensities.factors[NEVER_BOUGHT] == 1
    assert len(propensities.line_averages) == LINES


def test_the_targets_of_a_product_are_all_that_have_it_among_their_candidates_the_most_likely_first(
    world: World,
) -> None:
    propensities, listed = world.content.propensities, world.content.candidate_products
    for product in range(PRODUCTS):
        accounts, p = propensities.targets_of(product)

        rows, places = np.nonzero(listed == product)
        expected = sorted(zip(-propensities.candidates[rows, places], rows, strict=True))
        assert list(zip(-p, accounts, strict=True)) == expected


def learn_again(world: World) -> LearnedPropensity:
    """Repeat the learning on what the training gave it: rankers, accounts and options."""
    inputs, chosen, chances, _, accounts, seed, step = world.given
    learned, held_out = (inputs.interactions.select(mask) for mask in (~inputs.split.holdout, inputs.split.holdout))
    ranking = learn_ranking(inputs, Targets.of_window(learned, held_out, seed), seed, step)
    return training.fit_and_predict(inputs, chosen, chances, ranking, accounts, seed, step)[1]


def test_the_same_history_and_seed_give_the_same_bytes(world: World) -> None:
    again = learn_again(world)

    for name, values in vars(world.content.propensities).items():
        assert values.tobytes() == getattr(again.propensities, name).tobytes(), name
    intervals = {"repurchase_intervals": world.described["repurchase_intervals"]}
    assert json.loads(json.dumps(again.described)) | intervals == world.described


def test_where_the_gate_rejects_the_model_bins_are_used_and_the_report_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "MAX_ERROR", 0.0)

    learned = learn_again(world)

    p, truth = candidates_of(world, learned.propensities)
    methods = [learned.described["method"], *(learned.described[name]["method"] for name in ("line", "category"))]
    assert methods == ["bins"] * 3
    assert "calibrated bins are used" in learned.described["note"]
    assert truth.sum() / p.sum() == pytest.approx(1, abs=3 * 0.054)
    assert ((p > 0) & (p < 1)).all()


def test_candidates_stand_in_the_order_of_their_probabilities(world: World) -> None:
    content = world.content
    for row in np.flatnonzero(content.candidate_products[:, 0] != NO_ROW):
        listed = content.candidate_products[row] != NO_ROW
        assert (np.diff(content.candidate_scores[row][listed]) <= 0).all()
        np.testing.assert_array_equal(
            content.candidate_scores[row][listed], content.propensities.candidates[row][listed]
        )


def test_the_lists_that_are_served_are_measured_beside_the_first_stage(world: World) -> None:
    for target in ("new", "all"):
        measured = world.report["metrics"][target]
        assert measured["second_stage"]["ndcg@20"]["n"] == measured["blend"]["ndcg@20"]["n"]
        assert measured["second_stage"]["ndcg@20"]["value"] > measured["popularity"]["ndcg@20"]["value"]
    assert world.report["served"] == "second_stage"


@pytest.mark.slow
def test_a_recent_change_of_level_is_followed(tmp_path: Path) -> None:
    truth = Truth(level=1.6)

    p, true = candidates_of(learn(truth, tmp_path))

    # Without the novelty rate 1.6 / 1.2 times as much would be bought as was predicted. With it, the last third of the
    # newest window, in which the level was 1.6 already, counts twice: in its calibration and in the rate.
    of_window = (2 + 1.6) / 3
    assert true.sum() / p.sum() == pytest.approx(1 / of_window, abs=3 * 0.054)


@pytest.mark.slow
def test_the_next_training_reports_whether_predictions_held(world: World, tmp_path: Path) -> None:
    days = 30
    row, place = np.nonzero(world.content.candidate_products != NO_ROW)
    product = world.product[world.content.candidate_products[row, place]]
    found_after = TRUTH.found_after[world.account[row], product]

    options = TrainingOptions(horizon_days=HORIZON_DAYS)
    trained = train(TRUTH.history(DAYS + days), options, tmp_path, world.folder, lambda _: None)

    p, live = world.content.propensities.candidates[row, place], trained.report.propensity["live"]
    assert (live["version"], live["elapsed_days"]) == (world.folder.name, days)
    assert live["observed"] == (found_after < DAYS + days).sum()
    expected = 1 - (1 - p.astype(np.float64)) ** (days / HORIZON_DAYS)
    assert live["expected"] == pytest.approx(expected.sum(), rel=1e-4)
    assert live["observed_over_expected"]["value"] == pytest.approx(1, abs=3 * 0.06)
    assert live["stability"]["index"] < 0.1
    assert "live" not in world.described
