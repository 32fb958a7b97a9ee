"""Training end to end on a small history: what is written, what is decided, and that it repeats."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.artifact import NO_ROW, Manifest, open_artifact
from models.artifact.files import verify_files
from models.artifact.repurchases import OF_PRODUCT
from models.data.errors import HistoryInvalid
from models.data.history import History
from models.data.interactions import owned_matrix
from models.products.repurchases import learn_repurchases
from models.train import Trained, TrainingOptions, train
from tests.models.histories import DAY, START, Line, make_history

ACCOUNTS, PRODUCTS, DAYS = 120, 30, 360
Train = Callable[..., Trained]


def buyers_of_two_tastes(is_random: bool = False) -> History:
    """Accounts with even numbers buy the first half of the products, the others the second; or all buy at random."""
    rng = np.random.default_rng(7)
    lines: list[Line] = []
    for order in range(3_000):
        account, day = int(rng.integers(ACCOUNTS)), int(rng.integers(DAYS))
        half = PRODUCTS // 2
        for product in rng.choice(PRODUCTS if is_random else half, 2, replace=False):
            shift = 0 if is_random else (account % 2) * half
            lines.append((f"a{account}", str(order), f"p{product + shift}", day, 1))
    return make_history(lines, account_ids=["prospect"])


HISTORY = buyers_of_two_tastes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(HISTORY, TrainingOptions(), tmp_path_factory.mktemp("artifacts"), None, lambda _: None)


def test_a_history_with_a_pattern_is_approved_with_its_figures(trained: Trained) -> None:
    ndcg = {model: metrics["ndcg@20"] for model, metrics in trained.report.metrics["all"].items()}

    assert trained.manifest.verdict.is_approved
    assert "better than popularity" in trained.manifest.verdict.reason
    assert ndcg["blend"]["low"] <= ndcg["blend"]["value"] <= ndcg["blend"]["high"]
    assert ndcg["blend"]["n"] == ACCOUNTS
    assert set(ndcg) - {"second_stage"} == {"blend", "als", "affinity", "popularity", "similar-accounts"}


def test_the_artifact_opens_and_its_candidates_are_neither_owned_nor_of_the_other_taste(trained: Trained) -> None:
    content = open_artifact(trained.folder).content

    half = {f"p{product}" for product in range(PRODUCTS // 2)}
    for row, account in enumerate(content.account_ids.texts):
        best = content.candidate_products[row, 0]
        assert best not in content.owned_by(row)
        if best != NO_ROW and len(content.owned_by(row)) < PRODUCTS // 2:
            assert (content.products.ids.texts[int(best)] in half) == (int(account[1:]) % 2 == 0)


def test_reasons_are_products_that_the_account_owns(trained: Trained) -> None:
    content = open_artifact(trained.folder).content

    for row in range(len(content.account_ids)):
        reasons = content.candidate_reasons[row]
        assert set(reasons[reasons >= 0]) <= set(content.owned_by(row))


def test_owned_products_in_the_artifact_are_those_of_the_history(trained: Trained) -> None:
    content = open_artifact(trained.folder).content
    owned = owned_matrix(HISTORY.interactions)

    for row in range(len(content.account_ids)):
        assert content.owned_by(row).tolist() == owned[row].indices.tolist()


def test_an_account_without_orders_is_known_and_has_no_candidates(trained: Trained) -> None:
    content = open_artifact(trained.folder).content

    row = content.account_ids.row_of("prospect")

    assert row is not None
    assert (content.candidate_products[row] == NO_ROW).all()


def test_the_same_data_and_seed_give_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    again = train(HISTORY, TrainingOptions(), tmp_path, None, lambda _: None)

    assert again.folder.name == trained.folder.name
    for path in trained.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


def test_another_seed_gives_another_version(trained: Trained, tmp_path: Path) -> None:
    other = train(HISTORY, TrainingOptions(seed=1), tmp_path, None, lambda _: None)

    assert other.folder.name != trained.folder.name


def test_a_history_without_a_pattern_is_written_but_rejected(tmp_path: Path) -> None:
    result = train(buyers_of_two_tastes(is_random=True), TrainingOptions(), tmp_path, None, lambda _: None)

    assert not result.manifest.verdict.is_approved
    assert "popularity" in result.manifest.verdict.reason
    assert open_artifact(result.folder).manifest.verdict == result.manifest.verdict


def test_force_approves_and_is_recorded(tmp_path: Path) -> None:
    options = TrainingOptions(is_forced=True)

    result = train(buyers_of_two_tastes(is_random=True), options, tmp_path, None, lambda _: None)

    assert result.manifest.verdict.is_approved
    assert result.manifest.verdict.is_forced
    assert "not better than popularity" in result.manifest.verdict.reason


def test_an_earlier_live_artifact_is_measured_on_the_same_period(tmp_path: Path) -> None:
    early = train(HISTORY, TrainingOptions(as_of=START + 260 * DAY), tmp_path, None, lambda _: None)

    result = train(HISTORY, TrainingOptions(), tmp_path, early.folder, lambda _: None)

    assert "live" in result.report.metrics["new"]
    assert "not worse than the live model" in result.manifest.verdict.reason


def test_a_live_artifact_that_saw_the_period_is_not_measured_on_it(trained: Trained, tmp_path: Path) -> None:
    result = train(HISTORY, TrainingOptions(seed=1), tmp_path, trained.folder, lambda _: None)

    assert "live" not in result.report.metrics["new"]
    assert result.manifest.verdict.is_approved


def test_the_artifact_in_use_is_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = train(HISTORY, TrainingOptions(as_of=START + 260 * DAY), tmp_path, None, lambda _: None)
    verified: list[str] = []

    def verify(folder: Path, manifest: Manifest) -> None:
        verified.append(folder.name)
        verify_files(folder, manifest)

    monkeypatch.setattr("models.artifact.files.verify_files", verify)
    train(HISTORY, TrainingOptions(), tmp_path, early.folder, lambda _: None)

    assert verified == [early.folder.name]


def test_learning_stops_at_the_as_of(tmp_path: Path) -> None:
    result = train(HISTORY, TrainingOptions(as_of=START + 200 * DAY), tmp_path, None, lambda _: None)

    counts = result.manifest.counts
    assert counts["order_lines"] == int((HISTORY.interactions.time < START + 200 * DAY).sum())
    assert result.manifest.as_of == "2024-07-19T00:00:00Z"
    content = open_artifact(result.folder).content
    learned = HISTORY.interactions.select(HISTORY.interactions.time < START + 200 * DAY)
    expected = learn_repurchases(learned, HISTORY.products, owned_matrix(learned), content.owned_scores)
    assert content.repurchases.last_days.tolist() == expected.last_days.tolist()
    assert content.repurchases.interval_days.tolist() == expected.interval_days.tolist()
    assert content.repurchases.last_days.max() < (START + 200 * DAY) // DAY
    assert set(content.repurchases.interval_bases.tolist()) == {OF_PRODUCT}
    assert ((content.repurchases.rates > 0) & (content.repurchases.rates < 1)).all()


def test_nothing_before_the_as_of_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(HistoryInvalid, match="no order line before 2023-12-31T00:00:00Z names an account"):
        train(HISTORY, TrainingOptions(as_of=START - DAY), tmp_path, None, lambda _: None)


def test_the_parameters_and_windows_are_on_record(trained: Trained) -> None:
    record = json.loads(open_artifact(trained.folder).content.report)

    assert record["windows"]["holdout_start"] < record["windows"]["as_of"]
    assert sum(record["parameters"]["blend"].values()) == pytest.approx(1)
    assert record["parameters"]["embedding_size"] == trained.manifest.parameters["embedding_size"]
