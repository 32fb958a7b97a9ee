"""`nextoffer train --extra-scores FILE`: what is read, what is refused and how, and what is reported."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from models.data.extra_scores import ExtraScores
from models.data.history import History
from service.base.errors import DomainError
from service.cli import app
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from service.training.errors import ScoresInvalid
from service.training.extra_scores import extra_score_notes, read_extra_scores
from tests.models.histories import make_history
from tests.service.training.test_training import write_lines

RUNNER = CliRunner()
HISTORY = make_history([("a", "o1", "p", 0, 1), ("b", "o2", "q", 1, 1), ("7", "o3", "r", 2, 1)])


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def write_scores(path: Path, *rows: str, header: str = "account_id,product_id,score") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def by_identifier(scores: ExtraScores, history: History = HISTORY) -> dict[tuple[str, str], float]:
    table = scores.scores.tocoo()
    accounts, products = history.interactions.account_ids, history.interactions.product_ids
    return {
        (accounts[row], products[column]): float(value)
        for row, column, value in zip(table.row, table.col, table.data, strict=True)
    }


def test_scores_are_read_by_identifier_and_scaled_to_the_highest(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "scores.csv", "a,q,0.5", "b,p,2", "7,p,1e-1")

    scores = read_extra_scores(path, HISTORY)

    assert by_identifier(scores) == pytest.approx({("a", "q"): 0.25, ("b", "p"): 1.0, ("7", "p"): 0.05})
    assert scores.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    table = pa.table({"account_id": ["a", "b"], "product_id": ["q", "p"], "score": [-1.5, 3.0]})
    pq.write_table(table, tmp_path / "scores.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "scores.csv")

    read = [by_identifier(read_extra_scores(tmp_path / f"scores.{ending}", HISTORY)) for ending in ("parquet", "csv")]

    assert read[0] == read[1] == {("a", "q"): 0.0, ("b", "p"): 1.0}


def test_unknown_accounts_and_products_are_left_out_counted_and_reported(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "scores.csv", "a,q,1", "x,q,1", "x,y,1", "a,y,1", "y,q,1")

    scores = read_extra_scores(path, HISTORY)

    assert scores.describe() == {
        "sha256": scores.sha256,
        "pairs": 1,
        "unknown_account_rows": 3,
        "unknown_product_rows": 1,
    }
    gains = {"weight": 0.25, "validation": {"ndcg@20": 0.2, "ndcg@20_without": 0.1}}
    assert list(extra_score_notes(scores.describe() | gains)) == [
        "Extra scores: 1 pairs of accounts and products of the sales history.",
        "WARNING: 3 rows of extra scores name an unknown account and were left out.",
        "WARNING: 1 rows of extra scores name an unknown product and were left out.",
        "Their weight in the blend, chosen on the validation window: 0.25 (NDCG@20 0.2000, without them 0.1000).",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,p,nan", "line 3: score is not a finite number: 'nan'; leave the row out if there is no score"),
        ("a,p,inf", "line 3: score is not a finite number: 'inf'; leave the row out if there is no score"),
        ("a,p,-1e999", "line 3: score is not a finite number: '-1e999'; leave the row out if there is no score"),
        ("a,p,", "line 3: score is empty; write a number, or leave the row out"),
        ("a,p,high", "line 3: score is not a number: 'high'; write it with a decimal point"),
        ('a,p,"0,5"', "line 3: score is not a number: '0,5'; write it with a decimal point"),
        ("a,p,1e31", "line 3: score is out of range: '1e31'; scale the scores"),
        (",p,1", "line 3: account_id is empty"),
        ("a,,1", "line 3: product_id is empty"),
        ("a,q,2", "line 3: product_id stands with this account on line 2, too; keep one of the two rows"),
    ],
)
def test_an_invalid_row_is_refused_with_its_line_field_reason_and_what_to_do(
    tmp_path: Path, row: str, reason: str
) -> None:
    path = write_scores(tmp_path / "scores.csv", "a,q,1", row)

    with pytest.raises(ScoresInvalid) as refused:
        read_extra_scores(path, HISTORY)

    assert f"{path}, {reason}" in str(refused.value)
    assert "Correct them, or leave them out of the file." in str(refused.value)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_of_parquet_that_are_not_finite_are_refused(tmp_path: Path, score: float) -> None:
    pq.write_table(
        pa.table({"account_id": ["a", "b"], "product_id": ["q", "p"], "score": [score, 3.0]}), tmp_path / "s.parquet"
    )

    with pytest.raises(ScoresInvalid, match="score is not a finite number"):
        read_extra_scores(tmp_path / "s.parquet", HISTORY)


def test_a_pair_that_stands_twice_is_found_across_parts_of_a_large_file(tmp_path: Path) -> None:
    rows = [f"x{number},p,1" for number in range(120_000)]
    path = write_scores(tmp_path / "scores.csv", "a,p,1", *rows, "x5,p,2")

    with pytest.raises(ScoresInvalid, match="line 120003: product_id stands with this account on line 8, too"):
        read_extra_scores(path, HISTORY)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            "account_id,item",
            "a,p,1",
            "there is no column for product_id, score. The columns are: account_id, item",
        ),
        ("account_id,product_id,score", "x,p,1", "no row names an account and a product of the sales history"),
    ],
)
def test_a_file_that_gives_nothing_to_blend_is_refused(tmp_path: Path, header: str, row: str, message: str) -> None:
    path = write_scores(tmp_path / "scores.csv", row, header=header)

    with pytest.raises(ScoresInvalid) as refused:
        read_extra_scores(path, HISTORY)

    assert str(refused.value).startswith(f"{path}: {message}")


@pytest.fixture
def no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", f"sqlite:///{tmp_path / 'absent.db'}")


def taste_scores(path: Path) -> Path:
    """What the two tastes of the order lines are, with some chance."""
    rng = np.random.default_rng(0)
    rows = [
        f"{account},{product},{(product >= 15) == ((account - 1) % 2 == 1)}".replace("True", "1").replace("False", "0")
        for account in range(1, 101)
        for product in range(30)
        if rng.random() < 0.9
    ]
    return write_scores(path, *rows)


@pytest.mark.usefixtures("no_database")
def test_training_reports_the_file_its_weight_and_the_quality_with_and_without_it(tmp_path: Path) -> None:
    scores = taste_scores(tmp_path / "scores.csv")
    lines = write_lines(tmp_path / "lines.csv")
    options: Sequence[object] = ("--map", "customer=account_id", "--extra-scores", scores, "--out", tmp_path / "out")

    results = [run("train", "--orders", lines, *options) for _ in range(2)]

    assert results[0].exit_code == 0, f"{results[0].output} {results[0].exception!r}"
    assert results[0].stdout == results[1].stdout
    manifest, report = ArtifactStore(tmp_path / "out", smoke_test).show(results[0].stdout.strip())
    assert manifest.parameters["extra_scores"]["sha256"] == hashlib.sha256(scores.read_bytes()).hexdigest()
    assert "blend-without-extra-scores" in json.loads(report)["metrics"]["new"]
    assert "Their weight in the blend, chosen on the validation window:" in " ".join(results[0].stderr.split())


@pytest.mark.usefixtures("no_database")
def test_invalid_scores_stop_the_training(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "scores.csv", "1,2,much")

    result = run(
        "train", "--orders", write_lines(tmp_path / "lines.csv"), "--map", "customer=account_id", "--extra-scores",
        scores, "--out", tmp_path / "out",
    )  # fmt: skip

    assert isinstance(result.exception, ScoresInvalid)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_database")
def test_extra_scores_are_refused_where_baskets_alone_are_learned_from(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "scores.csv", "1,2,1")

    result = run("train", "--orders", scores, "--basket-only", "--extra-scores", scores)

    assert isinstance(result.exception, DomainError)
    assert str(result.exception) == "--extra-scores: about accounts, of which --basket-only learns nothing."
