"""Three windows and a gate: a calibrated model passes, another is replaced; the level follows the novelty rate."""

import numpy as np
import pytest

from models.propensity.calibration import (
    MAX_ERROR,
    MIN_TRUE,
    Examples,
    RecentRate,
    describe_verdict,
    is_enough,
    judge,
    learn_predictor,
)

N = 20_000
STILL = RecentRate(1e6, 1e8)


def window(seed: int, shift: float = 0.0, drift: float = 0.0, novelty: RecentRate = STILL, n: int = N) -> Examples:
    """Examples whose log odds follow one of two features. shift: of the log odds. drift: of all features alike."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2)).astype(np.float32)
    p = 1 / (1 + np.exp(3 - 1.2 * features[:, 0] - shift))
    score = features[:, 0] + np.float32(drift)
    return Examples(features + np.float32(drift), score, rng.random(n) < p, np.arange(n) // 10, novelty)


def test_a_model_whose_probabilities_hold_is_let_through_with_its_figures() -> None:
    verdict = judge(window(1), window(2), window(3), seed=0)

    error = verdict.measured["model"]["calibration_error"].mean
    described = describe_verdict(verdict, ("taste", "noise"))
    assert verdict.method == described["method"] == "model"
    assert error <= MAX_ERROR
    assert f"{error:.4f}" in described["note"]
    assert described["note"].endswith("the model is used")
    assert described["weights"]["taste"] > 10 * abs(described["weights"]["noise"])
    assert sum(tenth["observed"]["n"] for tenth in described["reliability"]) == N


def test_a_miscalibrated_model_gives_way_to_bins_and_the_report_says_so() -> None:
    verdict = judge(window(1), window(2), window(3, shift=1.5), seed=0)

    assert verdict.method == "bins"
    assert verdict.measured["model"]["calibration_error"].mean > MAX_ERROR
    assert verdict.note.endswith(f"at most {MAX_ERROR} to be used: calibrated bins are used")


def test_bins_tell_what_came_true_at_such_a_score() -> None:
    later = window(4)

    predicted = learn_predictor(window(1), window(2), "bins").predict_examples(later)

    for low, high in ((-1.0, -0.8), (0.0, 0.2), (1.0, 1.2)):
        is_in = (later.score > low) & (later.score < high)
        middle = (low + high) / 2
        assert predicted[is_in].mean() == pytest.approx(1 / (1 + np.exp(3 - 1.2 * middle)), rel=0.2)


@pytest.mark.parametrize("method", ["model", "bins"])
def test_what_moves_for_all_alike_changes_nothing(method: str) -> None:
    predictor = learn_predictor(window(1), window(2), method)

    there, moved = predictor.predict_examples(window(3)), predictor.predict_examples(window(3, drift=5.0))

    assert moved == pytest.approx(there, abs=1e-4)


@pytest.mark.parametrize("method", ["model", "bins"])
@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.6])
def test_the_odds_follow_the_novelty_rate(method: str, ratio: float) -> None:
    predictor = learn_predictor(window(1), window(2), method)
    later = window(5, shift=float(np.log(ratio)), novelty=RecentRate(ratio * 1e6, 1e8))

    expected = predictor.predict_examples(later).sum()

    # The purchases of calibration and of this window vary by chance alone: about two parts in a hundred each.
    assert later.is_true.sum() / expected == pytest.approx(1, abs=0.1)
    still = predictor.adapted(later.features, later.score, STILL).predict(later.features, later.score)
    predicted = predictor.predict_examples(later)
    assert predicted / (1 - predicted) == pytest.approx(ratio * still / (1 - still), rel=1e-3)


def test_the_novelty_rate_is_per_pair_and_between_a_half_and_two() -> None:
    assert RecentRate(3e6, 5e7).ratio_to(RecentRate(2e6, 1e8)) == 2
    assert RecentRate(1e6, 5e8).ratio_to(RecentRate(2e6, 1e8)) == 0.5
    assert RecentRate(3e6, 1.2e8).ratio_to(RecentRate(2e6, 1e8)) == pytest.approx(3 / 1.2 / 2, rel=1e-4)


def test_a_novelty_rate_of_few_purchases_is_shrunk() -> None:
    few, fewer, none = RecentRate(100, 1e4), RecentRate(50, 1e4), RecentRate(0, 1e4)

    # 50 and 100 purchases tell as much as 100 / 3 would of one level that is known: 100 / 3 of 100 / 3 + 50.
    assert fewer.ratio_to(few) == pytest.approx(0.5 ** (100 / 3 / (100 / 3 + 50)))
    assert none.ratio_to(few) == few.ratio_to(none) == 1


def test_too_few_purchases_in_any_window_are_not_enough() -> None:
    def bought(n_true: int, n: int = 1_000) -> Examples:
        zeros = np.zeros((n, 1), dtype=np.float32)
        return Examples(zeros, zeros[:, 0], np.arange(n) < n_true, np.arange(n), STILL)

    enough, too_few, too_many = bought(MIN_TRUE), bought(MIN_TRUE - 1), bought(1_000)

    assert is_enough((enough, enough, enough))
    assert not is_enough((enough, enough, too_few))
    assert not is_enough((too_many, enough, enough))


def test_accounts_of_predictions_are_numbered_without_gaps() -> None:
    examples = window(1, n=100)
    sparse = Examples(examples.features, examples.score, examples.is_true, examples.account * 1_000_000, STILL)

    predicted = sparse.predictions(examples.score)

    assert predicted.accounts == 10
    assert predicted.account.tolist() == examples.account.tolist()
