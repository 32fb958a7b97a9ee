"""From a sales history to each account's value, and how well that was predicted."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import offsets_of
from models.artifact.customers import NO_DAY, Customers
from models.customers.buying import BuyingModel
from models.customers.history import PurchaseHistory, purchase_history
from models.customers.lifetime_value import AccountValue, ValueParameters, estimate_value
from models.customers.rfm import rfm_of
from models.customers.spending import SpendingModel
from models.customers.tiers import tiers_of, trends_of
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS, Split
from models.evaluate.intervals import estimate_correlation, estimate_mean, estimate_ratio
from models.report import describe as describe_estimate

DEFAULTS = ValueParameters()


def learn_customers(
    interactions: Interactions, as_of: int, parameters: ValueParameters = DEFAULTS
) -> tuple[Customers, dict[str, Any]]:
    """Estimate every account's value as of a time (local seconds); return it, and the models for the report."""
    history = purchase_history(interactions, as_of)
    value = estimate_value(history, parameters)
    rfm = rfm_of(history)
    first, last = _first_and_last(history)
    customers = Customers(
        n_purchases=history.n_purchases.astype(np.int32),
        first_day=first,
        last_day=last,
        spend_minor=history.spend.round().astype(np.int64),
        unconverted_lines=history.unconverted_lines.astype(np.int32),
        is_money_known=history.is_money_known,
        rfm=np.column_stack((rfm.recency, rfm.frequency, rfm.monetary)),
        rfm_segment=rfm.segment,
        revenue_tier=tiers_of(np.where(history.has_bought & history.is_money_known, history.spend, np.nan)),
        value_tier=tiers_of(value.value[:, 0].astype(np.float64)),
        trend=trends_of(history, as_of / DAY_SECONDS),
        is_alive=value.is_alive,
        purchases=value.purchases,
        purchase_spend=value.spend,
        value=value.value,
        usual_gap=history.usual_gap.astype(np.float32),
        is_contractual=value.is_contractual,
    )
    return customers, describe(history, value, parameters)


def _first_and_last(history: PurchaseHistory) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    bought = history.has_bought
    offsets = offsets_of(history.n_purchases)
    first = np.full(len(bought), NO_DAY, dtype=np.int32)
    last = first.copy()
    first[bought] = history.day[offsets[:-1][bought]]
    last[bought] = history.day[offsets[1:][bought] - 1]
    return first, last


def describe(history: PurchaseHistory, value: AccountValue, parameters: ValueParameters) -> dict[str, Any]:
    """Describe the models for the report. Time is in days, money in minor units."""
    return {
        "accounts": int(history.has_bought.sum()),
        "repeat_accounts": int((history.n_repeat > 0).sum()),
        "contractual_accounts": int(value.is_contractual.sum()),
        "parameters": asdict(parameters) | {"horizons_days": list(parameters.horizons_days)},
        "buying": value.buying and describe_model(value.buying, ("r", "alpha", "a", "b")),
        "spending": value.spending and describe_model(value.spending, ("p", "q", "gamma")),
        "notes": value.notes,
    }


def describe_model(model: BuyingModel | SpendingModel, names: tuple[str, ...]) -> dict[str, Any]:
    """Parameters with their standard errors (null where the likelihood does not determine them)."""
    errors = model.standard_errors
    return {
        "n": model.n,
        "log_likelihood": model.log_likelihood,
        "parameters": {
            name: {"value": float(value), "standard_error": float(error) if np.isfinite(error) else None}
            for name, value, error in zip(names, model.parameters, errors, strict=True)
        },
    }


def measure_customers(
    interactions: Interactions, split: Split, seed: int, parameters: ValueParameters = DEFAULTS
) -> dict[str, dict[str, Any]]:
    """Predict each account's purchases and spend in the held-out period from the history before it, and compare.

    Returns target ("purchases", "spend_minor") -> model ("bg_nbd", and "past_rate": it goes on as before) -> metric,
    over the accounts that bought before the period, and for spend of these over those whose money is known; empty
    where there is no such period, or too little before it.
    """
    days = (split.as_of - split.holdout_start) / DAY_SECONDS
    if not split.is_by_time:
        return {}
    before = purchase_history(interactions.select(~split.holdout), split.holdout_start)
    after = purchase_history(interactions.select(split.holdout), split.as_of)
    value = estimate_value(before, replace(parameters, horizons_days=(days,)), has_intervals=False)
    if value.buying is None:
        return {}
    known = before.has_bought
    purchases = value.purchases[known, 0].astype(np.float64)
    past = before.n_repeat[known] / np.maximum(before.age_days[known], 1.0) * days
    observed = after.n_purchases[known].astype(np.float64)
    measured = {"purchases": {"bg_nbd": compare(observed, purchases, seed), "past_rate": compare(observed, past, seed)}}
    if value.spending is not None:
        spend, usual = value.spend[known].astype(np.float64), np.nan_to_num(before.mean_spend[known])
        valued = (before.is_money_known & (after.unconverted_lines == 0))[known]
        observed = after.spend[known][valued]
        measured["spend_minor"] = {
            "bg_nbd": compare(observed, (purchases * spend)[valued], seed),
            "past_rate": compare(observed, (past * usual)[valued], seed),
        }
    return measured


def compare(observed: NDArray[np.float64], expected: NDArray[np.float64], seed: int) -> dict[str, Any]:
    """Compare what came with what was expected, account by account (n,)."""
    return {
        "mean_absolute_error": describe_estimate(estimate_mean(np.abs(observed - expected), seed)),
        "observed_over_expected": describe_estimate(estimate_ratio(observed, expected, seed)),
        "correlation": describe_estimate(estimate_correlation(observed, expected, seed)),
    }
