"""Histories that say too little: nothing is learned, it is said why, and training succeeds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.artifact import open_artifact
from models.data.history import History
from models.train import TrainingOptions, train
from tests.models.histories import DAY, START, Line, make_history
from tests.models.propensity.samples import OrderLine, Shop

Make = Callable[[], History]


def some_lines(n: int = 600, accounts: int = 30, days: int = 200, products: int = 8) -> Sequence[Line]:
    rng = np.random.default_rng(2)
    return [
        (f"a{rng.integers(accounts)}", f"o{number}", f"p{rng.integers(products)}", int(rng.integers(days)), 1)
        for number in range(n)
    ]


def guests_first() -> History:
    lines = some_lines()
    return make_history(
        [(None if day < 50 else account, order, what, day, n) for account, order, what, day, n in lines]
    )


def all_inactive() -> History:
    history = make_history(some_lines())
    return replace(history, products=replace(history.products, is_active=np.zeros(8, dtype=np.bool_)))


def one_line_only() -> History:
    lines = [
        OrderLine(account, order, product, day * 86_400, 1.0, 0)
        for account, order, product, day, _ in some_lines(3_000, 200)
    ]
    return Shop(lines, {f"p{number}": ("all", None) for number in range(8)}).history()


POOR: dict[str, Make] = {
    "too few purchases": lambda: make_history(some_lines(60)),
    "one day": lambda: make_history(some_lines(days=1)),
    "three days": lambda: make_history(some_lines(days=3)),
    "a single account": lambda: make_history(some_lines(accounts=1)),
    "a single product": lambda: make_history(some_lines(products=1)),
    "guests before the windows": guests_first,
    "all products inactive": all_inactive,
    "everything owned": lambda: make_history(some_lines(20_000)),
}


@pytest.mark.parametrize("name", POOR)
def test_training_on_too_little_data_succeeds_and_the_report_says_why(name: str, tmp_path: Path) -> None:
    trained = train(POOR[name](), TrainingOptions(), tmp_path, None, lambda _: None)

    propensities = open_artifact(trained.folder).content.propensities
    assert trained.report.propensity["method"] is None
    assert any(reason in trained.report.propensity["note"] for reason in ("too short", "too few", "no account"))
    assert "propensity" not in trained.report.metrics
    for values in (
        propensities.candidates,
        propensities.rates,
        propensities.category_rates,
        propensities.factors,
        propensities.lines,
        propensities.categories,
    ):
        assert np.isnan(values).all()
    assert propensities.targets_of(0)[0].tolist() == []


def test_candidates_are_learned_of_without_prices_and_where_one_category_is_everybody_s(tmp_path: Path) -> None:
    trained = train(one_line_only(), TrainingOptions(), tmp_path, None, lambda _: None)

    propensities = open_artifact(trained.folder).content.propensities
    candidates = propensities.candidates[np.isfinite(propensities.candidates)]
    assert trained.report.propensity["method"] in ("model", "bins")
    assert trained.report.propensity["category"]["method"] is None
    assert "none" in trained.report.propensity["line"]["note"]
    assert ((candidates > 0) & (candidates < 1)).all()
    assert (propensities.rates < 0.5).all(), "where all that is not owned is a candidate, rates are those of candidates"


def test_a_broken_artifact_is_nothing_to_compare_with(tmp_path: Path) -> None:
    history = make_history(some_lines(60))
    folder = train(history, TrainingOptions(as_of=START + 150 * DAY), tmp_path, None, lambda _: None).folder
    (folder / "propensities.candidates.npy").write_bytes(b"")

    trained = train(history, TrainingOptions(), tmp_path, folder, lambda _: None)

    assert "live" not in trained.report.propensity
