"""The gate publishes what is better, and says why it refused."""

import numpy as np
import pytest

from models.evaluate.gate import MIN_ACCOUNTS, decide_publication

RNG = np.random.default_rng(0)
POPULARITY = RNG.random(400)
NOISE = RNG.normal(0, 0.1, 400)


def test_a_model_better_than_popularity_is_published_when_nothing_is_live() -> None:
    decision = decide_publication(POPULARITY + NOISE + 0.05, POPULARITY, None, seed=0)

    assert decision.is_published
    assert decision.over_live is None
    assert decision.over_popularity.low > 0
    assert "better than popularity" in decision.reason
    assert "n = 400" in decision.reason


def test_a_model_within_the_interval_of_popularity_is_refused() -> None:
    decision = decide_publication(POPULARITY + NOISE - NOISE.mean() + 0.001, POPULARITY, None, seed=0)

    assert not decision.is_published
    assert decision.reason.startswith("not better than popularity")


def test_a_model_clearly_worse_than_the_live_one_is_refused() -> None:
    candidate = POPULARITY + NOISE + 0.05

    decision = decide_publication(candidate, POPULARITY, candidate + 0.02, seed=0)

    assert not decision.is_published
    assert decision.reason.startswith("worse than the live model")


def test_a_model_that_can_not_be_told_from_the_live_one_is_published() -> None:
    candidate = POPULARITY + 0.05
    live = candidate - NOISE + NOISE.mean() + 0.001

    decision = decide_publication(candidate, POPULARITY, live, seed=0)

    assert decision.is_published
    assert "not worse than the live model" in decision.reason


def test_too_few_accounts_prove_nothing() -> None:
    few = np.zeros(MIN_ACCOUNTS - 1)

    decision = decide_publication(few + 1, few, None, seed=0)

    assert not decision.is_published
    assert "accounts can be measured" in decision.reason


@pytest.mark.parametrize(("record", "is_published"), [(0.39, True), (0.41, False)])
def test_a_live_model_that_saw_the_period_is_compared_by_the_low_end_of_its_record(
    record: float, is_published: bool
) -> None:
    candidate, popularity = np.full(100, 0.4), np.full(100, 0.1)

    decision = decide_publication(candidate, popularity, record, seed=0)

    assert decision.is_published == is_published
    assert ("worse than the live model was" in decision.reason) != is_published
