"""The second stage on examples whose odds are known: its probabilities hold in a later window, whatever the scale."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.propensity import second_stage
from models.propensity.calibration import Examples, RecentRate
from models.propensity.second_stage import SecondStage, _folds, learn_second_stage

N, N_ACCOUNTS, N_PRODUCTS = 9_000, 300, 90
STILL = RecentRate(1e6, 1e8)


def features_of(seed: int, n: int = N) -> NDArray[np.float32]:
    """Three normal features on a grid, so that rounding moves none across a tree's threshold."""
    values: NDArray[np.float64] = np.random.default_rng(seed).normal(size=(n, 3))
    return (np.round(values * 16) / 16).astype(np.float32)


def true_share(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """One feature counts in proportion, another only by its size, the third not at all."""
    x = features.astype(np.float64)
    return np.asarray(1 / (1 + np.exp(3 - 1.2 * x[:, 0] - np.abs(x[:, 1]))))


def window(seed: int, n: int = N) -> tuple[Examples, NDArray[np.int32]]:
    """Examples, and the product of each."""
    rng = np.random.default_rng(1_000 + seed)
    features = features_of(seed, n)
    is_true = rng.random(n) < true_share(features)
    account = rng.integers(0, N_ACCOUNTS, n).astype(np.int64)
    product = rng.integers(0, N_PRODUCTS, n).astype(np.int32)
    return Examples(features, features[:, 0], is_true, account, STILL), product


EXAMPLES, PRODUCT = window(1)
STAGE, HELD_OUT = learn_second_stage(EXAMPLES, PRODUCT, seed=0)


def predict(stage: SecondStage, features: NDArray[np.float32]) -> NDArray[np.float32]:
    adapted = stage.adapted(features, STILL)
    return adapted.probabilities(adapted.scores(features))


def check_tenths(p: NDArray[np.float32], truth: NDArray[np.float64]) -> None:
    """The mean probability of each tenth of the examples is that of the truth."""
    for tenth in np.array_split(np.argsort(p, kind="stable"), 10):
        assert p[tenth].mean() == pytest.approx(truth[tenth].mean(), rel=0.15, abs=0.02)


def area_under_curve(scores: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """The share of pairs of a true and a false example in which the true one scores higher; ties count half."""
    false = np.sort(scores[~is_true])
    below, not_above = (np.searchsorted(false, scores[is_true], side=side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(false)))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_scored_shares_neither_account_nor_product_with_what_taught(seed: int) -> None:
    scored: list[int] = []
    for learned, rest in _folds(EXAMPLES.account, PRODUCT, seed):
        assert len(learned)
        assert len(rest)
        assert not set(EXAMPLES.account[learned].tolist()) & set(EXAMPLES.account[rest].tolist())
        assert not set(PRODUCT[learned].tolist()) & set(PRODUCT[rest].tolist())
        scored += rest.tolist()

    assert sorted(scored) == list(range(N))


def test_probabilities_of_a_later_window_are_the_true_ones_in_each_tenth() -> None:
    later, _ = window(2)

    check_tenths(predict(STAGE, later.features), true_share(later.features))


def test_a_later_window_is_ranked_nearly_as_well_as_by_the_truth_and_better_than_by_one_feature() -> None:
    later, _ = window(2)

    ranked = area_under_curve(STAGE.adapted(later.features, STILL).scores(later.features), later.is_true)

    assert ranked > 0.7
    assert ranked > area_under_curve(later.features[:, 0].astype(np.float64), later.is_true) + 0.02
    assert ranked > area_under_curve(true_share(later.features), later.is_true) - 0.03


def test_held_out_scores_are_calibrated_on_their_own_examples() -> None:
    assert HELD_OUT.shape == (N,)
    assert STAGE.probabilities(HELD_OUT).mean() == pytest.approx(EXAMPLES.is_true.mean(), rel=0.02)
    assert area_under_curve(HELD_OUT, EXAMPLES.is_true) > 0.7


def test_held_out_scores_know_nothing_that_only_an_account_or_a_product_tells() -> None:
    rng = np.random.default_rng(3)
    of_account = rng.normal(size=N_ACCOUNTS).astype(np.float32)[EXAMPLES.account]
    of_product = rng.normal(size=N_PRODUCTS).astype(np.float32)[PRODUCT]
    # Unrelated to the features as such: only who knows an account's or a product's own value can tell.
    lucky_account, lucky_product = rng.random(N_ACCOUNTS) < 0.5, rng.random(N_PRODUCTS) < 0.5
    share = np.where(lucky_account[EXAMPLES.account], 0.1, 0) + np.where(lucky_product[PRODUCT], 0.3, 0.02)
    is_true = rng.random(N) < share
    examples = replace(EXAMPLES, features=np.stack([of_account, of_product], axis=1), is_true=is_true)

    stage, held_out = learn_second_stage(examples, PRODUCT, seed=0)

    assert area_under_curve(stage.base.scores(examples.features)[:, 1].astype(np.float64), is_true) > 0.75
    assert area_under_curve(held_out, is_true) == pytest.approx(0.5, abs=0.1)


def test_what_moves_and_stretches_for_all_alike_changes_no_score() -> None:
    there = STAGE.scores(EXAMPLES.features)
    moved = EXAMPLES.features * np.float32(3) + np.float32(5)

    scores = STAGE.adapted(moved, STILL).scores(moved)

    assert scores == pytest.approx(there, abs=1e-3)
    order = np.argsort(there, kind="stable")
    assert (np.diff(scores[order]) > -1e-3).all()
    assert np.ptp(there) > 2


@pytest.mark.parametrize("ratio", [0.6, 1.7])
def test_the_odds_follow_the_novelty_rate(ratio: float) -> None:
    features = window(2)[0].features
    still = predict(STAGE, features).astype(np.float64)
    stage = STAGE.adapted(features, RecentRate(ratio * 1e6, 1e8))

    p = stage.probabilities(stage.scores(features)).astype(np.float64)

    assert p / (1 - p) == pytest.approx(ratio * still / (1 - still), rel=1e-3)


def test_probabilities_never_fall_as_scores_rise() -> None:
    scores = np.sort(STAGE.scores(window(2)[0].features))

    assert (np.diff(STAGE.probabilities(scores)) >= 0).all()


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    examples, product = window(4, n=1_000)
    (one, held_out), (again, held_out_again) = (learn_second_stage(examples, product, seed=7) for _ in range(2))
    _, others = learn_second_stage(examples, product, seed=8)

    assert held_out.tobytes() == held_out_again.tobytes()
    assert one.base.trees.model_to_string() == again.base.trees.model_to_string()
    assert one.scores(examples.features).tobytes() == again.scores(examples.features).tobytes()
    assert predict(one, examples.features).tobytes() == predict(again, examples.features).tobytes()
    assert held_out.tobytes() != others.tobytes()


def test_each_pair_that_was_not_bought_counts_for_several_where_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_stage, "MAX_FALSE", 1_500)
    later, _ = window(2)

    stage, _ = learn_second_stage(EXAMPLES, PRODUCT, seed=0)

    check_tenths(predict(stage, later.features), true_share(later.features))
    own = 1 / (1 + np.exp(-stage.base.scores(EXAMPLES.features).astype(np.float64)))
    assert own.mean(axis=0) == pytest.approx(np.full(2, EXAMPLES.is_true.mean()), rel=0.1)
    whole = STAGE.base.trees.model_to_string()
    assert stage.base.trees.model_to_string() != whole, "fewer taught"


@pytest.mark.parametrize("n_true", [0, 1, 5, 12, 600])
def test_too_few_of_a_kind_give_probabilities_all_the_same(n_true: int) -> None:
    examples, product = window(5, n=600)
    is_true = np.random.default_rng(6).permutation(600) < n_true

    stage, held_out = learn_second_stage(replace(examples, is_true=is_true), product, seed=0)

    assert np.isfinite(held_out).all()
    for features in (examples.features, window(6, n=300)[0].features):
        p = predict(stage, features)
        assert np.isfinite(p).all()
        assert ((p > 0) & (p < 1)).all()
        assert p.mean() == pytest.approx(n_true / 600, abs=0.02)


def test_no_examples_of_a_later_window_have_no_scores() -> None:
    nothing = np.empty((0, 3), dtype=np.float32)

    assert STAGE.adapted(nothing, STILL).scores(nothing).shape == (0,)
    assert predict(STAGE, nothing).shape == (0,)


@pytest.mark.parametrize("alike", ["account", "product"])
def test_a_single_account_or_product_is_learned_of_too(alike: str) -> None:
    examples, product = window(5, n=2_000)
    if alike == "account":
        examples = replace(examples, account=np.zeros_like(examples.account))
    else:
        product = np.full_like(product, 3)

    stage, held_out = learn_second_stage(examples, product, 0)

    p = stage.probabilities(stage.scores(examples.features))
    assert np.isfinite(held_out).all()
    assert ((p > 0) & (p < 1)).all()


def test_the_published_calibration_lies_between_held_out_scores_and_what_the_window_before_foretold() -> None:
    earlier, product = window(7)
    examples, later_product = window(8)
    adapted = learn_second_stage(earlier, product, 0)[0].adapted(examples.features, examples.novelty)
    of_earlier = adapted.scores(examples.features)
    stage, held_out = learn_second_stage(examples, later_product, 0)

    pooled = stage.calibrated_on(held_out, of_earlier, examples.is_true)

    p = pooled.probabilities(held_out), pooled.probabilities(of_earlier)
    assert (p[0].mean() + p[1].mean()) / 2 == pytest.approx(examples.is_true.mean(), rel=0.01)


def test_a_sample_of_the_pairs_tells_how_scores_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    later = features_of(5) * 2 + 1
    of_all = STAGE.adapted(later, STILL)

    monkeypatch.setattr(second_stage, "MAX_SCALED", N // 3)
    of_sample, again = STAGE.adapted(later, STILL), STAGE.adapted(later, STILL)

    assert of_sample.stack.centre == pytest.approx(of_all.stack.centre, abs=0.05)
    assert of_sample.stack.scale == pytest.approx(of_all.stack.scale, rel=0.05)
    assert of_sample.stack.centre.tobytes() == again.stack.centre.tobytes()
