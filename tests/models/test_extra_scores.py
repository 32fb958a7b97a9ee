"""Extra scores in training: what they are worth is measured, reported, and repeats."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from models.artifact import open_artifact
from models.data.extra_scores import ExtraScores
from models.data.history import History, build_history
from models.train import Trained, TrainingOptions, train
from tests.models.histories import DAY, START

ACCOUNTS, PRODUCTS, TASTES, DAYS, HORIZON_DAYS = 400, 60, 6, 360, 60


@dataclass(frozen=True)
class World:
    """Accounts find products at constant rates of their own: the rates tell the truth about every later period."""

    seed: int = 5

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """Purchases a day, (ACCOUNTS, PRODUCTS)."""
        rng = np.random.default_rng(self.seed)
        taste = rng.normal(0, 1.2, (ACCOUNTS, TASTES))[:, np.arange(PRODUCTS) % TASTES]
        own = rng.normal(0, 1.0, (ACCOUNTS, PRODUCTS))
        return np.asarray(np.exp(-7.3 + taste + own + rng.normal(0, 0.5, PRODUCTS)))

    @cached_property
    def history(self) -> History:
        days = np.random.default_rng(self.seed + 1).exponential(1 / self.rates)
        account, product = np.nonzero(days < DAYS)
        lines = pa.table(
            {
                "account_id": [f"a{row}" for row in account],
                "order_id": [f"o{number}" for number in range(len(account))],
                "product_id": [f"p{row}" for row in product],
                "ordered_at": (START + days[account, product] * DAY).astype(np.int64),
                "quantity": np.ones(len(account)),
                "amount_minor": np.full(len(account), 100),
            }
        )
        return build_history(lines, None, None)

    def scores(self, table: NDArray[np.float64]) -> ExtraScores:
        """Scores of all pairs. table: (ACCOUNTS, PRODUCTS), by the numbers in identifiers."""
        interactions = self.history.interactions
        account = np.array([int(text[1:]) for text in interactions.account_ids])
        product = np.array([int(text[1:]) for text in interactions.product_ids])
        shape = (len(account), len(product))
        rows, columns = (axis.ravel().astype(np.int32) for axis in np.indices(shape))
        return ExtraScores.from_pairs(rows, columns, table[account][:, product].ravel(), shape, "0" * 64, {})

    def train(self, folder: Path, scores: ExtraScores | None) -> Trained:
        options = TrainingOptions(horizon_days=HORIZON_DAYS, extra_scores=scores)
        return train(self.history, options, folder, None, lambda _: None)


WORLD = World()


@pytest.fixture(scope="module")
def with_truth(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return WORLD.train(tmp_path_factory.mktemp("artifacts"), WORLD.scores(np.log(WORLD.rates)))


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return WORLD.train(tmp_path_factory.mktemp("artifacts"), None)


def ndcg(trained: Trained, model: str) -> float:
    return float(trained.report.metrics["new"][model]["ndcg@20"]["value"])


@pytest.mark.parametrize("model", ["blend", "second_stage"])
def test_scores_that_tell_the_truth_about_the_later_period_get_weight_and_improve_the_ranking(
    with_truth: Trained, model: str
) -> None:
    described = with_truth.manifest.parameters["extra_scores"]

    assert described["weight"] > 0.3
    assert described["weight"] == with_truth.manifest.parameters["blend"]["extra_scores"]
    assert described["validation"]["ndcg@20"] > 1.1 * described["validation"]["ndcg@20_without"]
    assert ndcg(with_truth, model) > 1.1 * ndcg(with_truth, f"{model}-without-extra-scores")


def test_random_scores_get_no_weight_and_the_ranking_stays_as_good(tmp_path: Path) -> None:
    table = np.random.default_rng(0).random((ACCOUNTS, PRODUCTS))

    trained = WORLD.train(tmp_path, WORLD.scores(table))

    assert trained.manifest.parameters["extra_scores"]["weight"] == 0
    assert ndcg(trained, "blend") == ndcg(trained, "blend-without-extra-scores")
    alone = trained.report.metrics["new"]["second_stage-without-extra-scores"]["ndcg@20"]
    assert ndcg(trained, "second_stage") > alone["low"]


def test_the_second_stage_has_the_extra_score_as_a_feature_only_where_it_is_given(
    with_truth: Trained, without: Trained
) -> None:
    names = list(with_truth.report.propensity["weights"])
    assert names == [*without.report.propensity["weights"], "extra_scores"]
    assert with_truth.report.served == without.report.served == "second_stage"
    assert "extra_scores" not in without.manifest.parameters
    assert "extra_scores" not in without.manifest.parameters["blend"]
    # Without them, all is as if they had never been given.
    assert ndcg(without, "blend") == ndcg(with_truth, "blend-without-extra-scores")
    assert ndcg(without, "second_stage") == ndcg(with_truth, "second_stage-without-extra-scores")


def test_the_same_scores_give_the_same_bytes_and_the_manifest_names_their_digest(
    with_truth: Trained, tmp_path: Path
) -> None:
    again = WORLD.train(tmp_path, WORLD.scores(np.log(WORLD.rates)))

    assert again.folder.name == with_truth.folder.name
    assert again.manifest.parameters["extra_scores"]["sha256"] == "0" * 64
    for path in with_truth.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


def test_the_lists_that_are_served_follow_the_truth(with_truth: Trained, without: Trained) -> None:
    def mean_rate_of_first(trained: Trained) -> float:
        content = open_artifact(trained.folder).content
        first = content.candidate_products[:, 0]
        account = np.array([int(text[1:]) for text in content.account_ids.texts])[first >= 0]
        product = np.array([int(text[1:]) for text in content.products.ids.texts])[first[first >= 0]]
        return float(WORLD.rates[account, product].mean())

    assert mean_rate_of_first(with_truth) > 1.2 * mean_rate_of_first(without)
