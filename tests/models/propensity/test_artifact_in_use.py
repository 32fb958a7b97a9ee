"""The artifact in use: its predictions against the purchases since, counted pair by pair."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from models.artifact import (
    NO_ROW,
    Artifact,
    Content,
    IdIndex,
    Manifest,
    Propensities,
    Verdict,
    in_hash_order,
)
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, PRODUCTS
from models.data.day_zone import DayZone
from models.data.interactions import Interactions
from models.data.split import format_time, parse_time
from models.propensity.artifact_in_use import compare_with_outcomes, outcomes_since, within
from models.propensity.train_propensity import LearnedPropensity
from tests.models.contents import N_PRODUCTS, make_content

DAY = 86_400
THEN = 19_000 * DAY
HORIZON_DAYS = 60
N_ACCOUNTS = 3_000
NEW, GONE = "new-account", 5


def nothing_learned(n_accounts: int) -> Propensities:
    """Propensities of three candidates each, all unknown."""
    return Propensities.empty({ACCOUNTS: n_accounts, CANDIDATES: 3, PRODUCTS: N_PRODUCTS})


def predicting_artifact(n_accounts: int = N_ACCOUNTS, horizon_days: float = HORIZON_DAYS, seed: int = 1) -> Artifact:
    """An artifact of as many accounts; each has three candidates, one in ten accounts none."""
    rng = np.random.default_rng(seed)
    listed = np.stack([rng.permutation(N_PRODUCTS)[:3] for _ in range(n_accounts)])
    listed[::10] = NO_ROW
    p = rng.beta(1.5, 20, listed.shape).astype(np.float32)
    p[listed == NO_ROW] = np.nan
    content: Content = make_content([[]] * n_accounts, listed.tolist(), [[0.0] * 3] * n_accounts)
    propensities = replace(nothing_learned(n_accounts), candidates=p)
    report = orjson.dumps({"propensity": {"horizon_days": horizon_days}})
    manifest = Manifest(format_time(THEN), "", {}, {}, {}, Verdict(True, ""), {}, {}, version="then")
    return Artifact(Path(), manifest, replace(content, propensities=propensities, report=report))


def bought_since(live: Artifact, ratio: float = 1.0, days: int = 400, seed: int = 2) -> Interactions:
    """Candidates are bought at constant rates, ``ratio`` times those predicted; one account is gone, one is new."""
    rng = np.random.default_rng(seed)
    accounts, products = list(live.content.account_ids.texts), list(live.content.products.ids.texts)
    account_ids = in_hash_order([account for account in accounts if account != accounts[GONE]] + [NEW])
    product_ids = in_hash_order([*products, "another"])
    row_of = {account: row for row, account in enumerate(account_ids)}
    rows = np.array([row_of.get(account, -1) for account in accounts])
    columns = np.array([product_ids.index(product) for product in products])
    p = np.nan_to_num(live.content.propensities.candidates.astype(np.float64))
    rate = -np.log1p(-p) / HORIZON_DAYS * ratio
    after = rng.exponential(1 / np.maximum(rate, 1e-12))
    row, place = np.nonzero((after < days) & (p > 0) & (rows >= 0)[:, None])
    n = len(row) + 1
    return Interactions(
        account=np.append(rows[row], account_ids.index(NEW)).astype(np.int32),
        product=np.append(columns[live.content.candidate_products[row, place]], 0).astype(np.int32),
        order=np.arange(n, dtype=np.int32),
        time=np.append(THEN + after[row, place] * DAY, THEN + DAY).astype(np.int64),
        quantity=np.ones(n, dtype=np.float32),
        amount_minor=np.full(n, 100),
        account_ids=np.array(account_ids, dtype=object),
        product_ids=np.array(product_ids, dtype=object),
        order_count=n,
    )


def learned_now(artifact: Artifact, horizon_days: float = HORIZON_DAYS) -> LearnedPropensity:
    return LearnedPropensity(artifact.content.propensities, {"horizon_days": horizon_days})


def compared(live: Artifact | None, interactions: Interactions, days: float, **others: Any) -> dict[str, Any]:
    now = others.get("now", learned_now(predicting_artifact()))
    return dict(compare_with_outcomes(live, interactions, THEN + round(days * DAY), now, 0).get("live", {}))


LIVE = predicting_artifact()
SINCE = bought_since(LIVE)


@pytest.mark.parametrize("days", [20.0, 90.0])
def test_expected_and_observed_are_counted_pair_by_pair_within_the_elapsed_days(days: float) -> None:
    elapsed = min(days, HORIZON_DAYS)
    made: set[tuple[str, str]] = set()
    for account, product, time in zip(SINCE.account, SINCE.product, SINCE.time, strict=True):
        if THEN <= time < THEN + elapsed * DAY:
            made.add((SINCE.account_ids[account], SINCE.product_ids[product]))
    content = LIVE.content
    expected, observed, n = 0.0, 0, 0
    for row, account in enumerate(content.account_ids.texts):
        for product, p in zip(content.candidate_products[row], content.propensities.candidates[row], strict=True):
            if product != NO_ROW and row != GONE:
                expected += 1 - (1 - float(p)) ** (elapsed / HORIZON_DAYS)
                observed += (account, content.products.ids.texts[int(product)]) in made
                n += 1

    comparison = compared(LIVE, SINCE, days)

    assert (comparison["version"], comparison["elapsed_days"]) == ("then", elapsed)
    assert (comparison["n"], comparison["observed"]) == (n, observed)
    assert comparison["expected"] == pytest.approx(expected, rel=1e-5)
    assert comparison["observed_over_expected"]["value"] == pytest.approx(observed / expected, rel=1e-4)
    assert comparison["accounts"] == comparison["observed_over_expected"]["n"] < N_ACCOUNTS


def test_probabilities_are_scaled_to_a_part_of_their_horizon_at_a_constant_rate() -> None:
    p = np.array([0.1, 0.6])

    assert within(p, 1.0) == pytest.approx(p)
    assert 1 - (1 - within(p, 1 / 3)) ** 3 == pytest.approx(p)


def test_predictions_that_hold_are_rejected_about_as_often_as_the_interval_allows() -> None:
    verdicts = [compared(LIVE, bought_since(LIVE, seed=seed), 30)["has_drifted"] for seed in range(3, 23)]

    # Of twenty, one on average; five or more once in four hundred times.
    assert sum(verdicts) < 5


@pytest.mark.parametrize(("ratio", "phrase"), [(0.7, "predicts too many"), (1.4, "predicts too few")])
def test_drift_is_reported_in_figures_and_in_words(ratio: float, phrase: str) -> None:
    comparison = compared(LIVE, bought_since(LIVE, ratio), 30)

    estimate = comparison["observed_over_expected"]
    assert comparison["has_drifted"] is True
    assert estimate["low"] < ratio + 0.05
    assert estimate["high"] > ratio - 0.05
    assert phrase in comparison["note"]
    assert (comparison["z"] > 3) == (ratio > 1)
    assert "of one account are alike" in comparison["z_note"]


def test_scores_that_moved_are_reported_without_outcomes() -> None:
    same = compared(LIVE, SINCE, 30, now=learned_now(predicting_artifact(seed=9)))["stability"]
    longer = compared(LIVE, SINCE, 30, now=learned_now(predicting_artifact(seed=9, horizon_days=120), 120))["stability"]
    nothing = compared(LIVE, SINCE, 30, now=LearnedPropensity(nothing_learned(3), {}))["stability"]

    assert same["index"] < same["limit"] < 0.1
    assert longer["index"] > 0.1, "the same chances, but of a horizon that is twice as long"
    assert nothing is None


def test_too_little_is_no_verdict() -> None:
    few = predicting_artifact(n_accounts=12)

    comparison = compared(few, bought_since(few), 10)

    assert comparison["has_drifted"] is None
    assert "too few purchases" in comparison["note"]


def test_there_is_nothing_to_compare_without_time_or_an_artifact_with_predictions() -> None:
    nothing = replace(LIVE, content=replace(LIVE.content, propensities=nothing_learned(N_ACCOUNTS)))
    silent = replace(LIVE, content=replace(LIVE.content, report=b"{}"))
    others = IdIndex.from_ids(in_hash_order(f"other-{row}" for row in range(N_ACCOUNTS)))
    strangers = replace(LIVE, content=replace(LIVE.content, account_ids=others))

    assert compared(None, SINCE, 30) == {}
    assert compared(LIVE, SINCE, 0.5) == {}
    assert compared(LIVE, SINCE, -5) == {}
    assert compared(nothing, SINCE, 30) == {}
    assert compared(silent, SINCE, 30) == {}
    assert outcomes_since(strangers, SINCE, THEN + 30 * DAY, 0) is None


def test_a_time_is_read_as_it_was_written() -> None:
    assert parse_time(format_time(THEN + 12_345)) == THEN + 12_345


def test_purchases_in_local_seconds_are_compared_since_the_same_instant() -> None:
    zone, now = DayZone("Etc/GMT+5"), THEN + 30 * DAY
    local = replace(SINCE, time=zone.to_local(SINCE.time))

    comparison = compare_with_outcomes(LIVE, local, zone.to_local_second(now), learned_now(LIVE), 0, zone)

    assert zone.to_local_second(now) == now - 5 * 3600
    assert comparison == compare_with_outcomes(LIVE, SINCE, now, learned_now(LIVE), 0)
