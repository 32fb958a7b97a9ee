"""Hyperparameters are chosen by what the validation window rewards, and the default stays where nothing gains."""

from dataclasses import replace

import numpy as np
import pytest

from models.ranking import search as searching
from models.ranking.als import fit_als
from models.ranking.fit import fit_rankers
from models.ranking.search import describe_difference, sample_accounts, search
from models.ranking.settings import RankingParameters
from models.ranking.weights import strength_matrix
from tests.models.histories import DAY
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(embedding_size=8, iterations=20)
HISTORY = random_interactions(seed=5, n_accounts=120, n_products=60, n_lines=2_400)
CUT = AS_OF - 60 * DAY
LEARNED, VALIDATION = HISTORY.select(HISTORY.time < CUT), HISTORY.select(HISTORY.time >= CUT)


def ignore(message: str) -> None:
    """Take no notice of progress."""


def test_every_ranker_gains_by_what_is_chosen_or_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SMALL_SIZE", 4)
    poor = replace(PARAMETERS, regularization=1e6, product_discount=2.0, account_discount=3.0)
    messages: list[str] = []

    searched = search(LEARNED, VALIDATION, CUT, poor, messages.append)

    tries = searching._Search(LEARNED, VALIDATION, CUT, poor, ignore)
    first, second = searched.with_best_als, searched.best_of_each
    before, after = (fit_rankers(LEARNED, CUT, each, ignore) for each in (poor, second))
    assert searched.als is not None
    assert tries.gain(searched.als) > tries.gain(before.als)
    assert tries.gain(after.affinity) > tries.gain(before.affinity)
    assert tries.gain(after.popularity) >= tries.gain(before.popularity)
    assert first.regularization == second.regularization
    assert first.regularization in searching.REGULARIZATIONS
    assert (first.product_discount, first.account_discount) == (poor.product_discount, poor.account_discount)
    assert [message.split(":")[0] for message in messages] == ["ALS", "affinity", "popularity"]
    assert "regularization" in messages[0]


def test_the_default_stays_where_no_gain_is_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MIN_GAIN", 100.0)

    searched = search(LEARNED, VALIDATION, CUT, PARAMETERS, ignore)

    assert searched.with_best_als == searched.best_of_each == PARAMETERS
    assert describe_difference(PARAMETERS, PARAMETERS) == "the parameters given"


def test_als_of_the_search_is_that_of_one_fit() -> None:
    """It went on from round to round, so that the fit for the validation window costs nothing more."""
    poor = replace(PARAMETERS, regularization=1e6)

    searched = search(LEARNED, VALIDATION, CUT, poor, ignore)

    chosen = searched.with_best_als
    alone = fit_als(strength_matrix(LEARNED, CUT, chosen.half_life_days), chosen)
    assert searched.als is not None
    assert np.array_equal(searched.als.account_factors, alone.account_factors)
    assert np.array_equal(searched.als.product_factors, alone.product_factors)


def test_the_default_is_fitted_with_few_factors_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SMALL_SIZE", 4)

    searched = search(LEARNED, VALIDATION, CUT, PARAMETERS, ignore)

    assert searched.default == replace(PARAMETERS, embedding_size=4)
    alone = fit_als(strength_matrix(LEARNED, CUT, PARAMETERS.half_life_days), searched.default)
    assert searched.default_als is not None
    assert np.array_equal(searched.default_als.product_factors, alone.product_factors)


def test_what_is_chosen_on_a_sample_of_the_accounts_is_fitted_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "ACCOUNTS", 30)
    monkeypatch.setattr(searching, "FITTED_ACCOUNTS", 60)
    poor = replace(PARAMETERS, regularization=1e6)

    searched = search(LEARNED, VALIDATION, CUT, poor, ignore)

    chosen = searched.with_best_als
    alone = fit_als(strength_matrix(LEARNED, CUT, chosen.half_life_days), chosen)
    assert chosen.regularization in searching.REGULARIZATIONS
    assert searched.als is not None
    assert searched.als.account_factors.any(axis=1).sum() > 60
    assert np.array_equal(searched.als.account_factors, alone.account_factors)


def test_a_sample_keeps_the_histories_of_the_measured_accounts() -> None:
    strength = strength_matrix(LEARNED, CUT, PARAMETERS.half_life_days)
    before = strength.copy()
    measured = np.flatnonzero(np.diff(strength.indptr))[[3, 7, 40]].astype(np.int32)

    sampled = sample_accounts(strength, measured, 20, seed=0)

    kept = np.flatnonzero(np.diff(sampled.indptr))
    assert len(kept) == 20
    assert set(measured) <= set(kept)
    assert (sampled[kept] != strength[kept]).nnz == 0
    assert (strength != before).nnz == 0
    assert sample_accounts(strength, measured, 1_000, seed=0) is strength


def test_the_same_window_gives_the_same_parameters_and_factors() -> None:
    poor = replace(PARAMETERS, regularization=1e6)
    first, second = (search(LEARNED, VALIDATION, CUT, poor, ignore) for _ in range(2))

    assert (first.with_best_als, first.best_of_each) == (second.with_best_als, second.best_of_each)
    assert first.als is not None
    assert second.als is not None
    assert first.als.product_factors.tobytes() == second.als.product_factors.tobytes()


def test_nothing_is_tried_where_no_account_bought_anything_new() -> None:
    nothing = VALIDATION.select(np.zeros(VALIDATION.n_lines, dtype=np.bool_))
    messages: list[str] = []

    searched = search(LEARNED, nothing, CUT, PARAMETERS, messages.append)

    assert searched.with_best_als == searched.best_of_each == PARAMETERS
    assert searched.als is None
    assert messages == []
