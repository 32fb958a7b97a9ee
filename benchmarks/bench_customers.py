"""Customer value, beside one evaluation of the likelihood; everything learned of accounts, beside one sort."""

from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from benchmarks.histories import ALPHA, AS_OF, DAYS, A, B, R, learn, order_lines, purchases
from benchmarks.measure import peak_memory_mib, show, time_in_turn
from models.customers.history import PurchaseHistory, history_of_events
from models.customers.lifetime_value import ValueParameters, estimate_value
from models.customers.measure import learn_customers
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 3


def main() -> None:
    show_value()
    show_learning()


def show_value() -> None:
    rows, rows_with_intervals = [], []
    for size in SIZES:
        history = simulate(size)
        seconds = time_in_turn(
            ROUNDS,
            ours=lambda history=history: estimate_value(history, ValueParameters(), has_intervals=False),  # type: ignore[misc]
            all=lambda history=history: estimate_value(history, ValueParameters()),  # type: ignore[misc]
            floor=lambda history=history: likelihood(history),  # type: ignore[misc]
        )
        peak = f"peak {peak_memory_mib(estimate_simulated, size):,.0f} MiB"
        rows.append((f"{size:,} accounts", seconds["ours"], seconds["floor"], ""))
        rows_with_intervals.append((f"{size:,} accounts, with intervals", seconds["all"], seconds["floor"], peak))
    show("P(active), purchases, spend and value ahead", "one likelihood", rows + rows_with_intervals)


def show_learning() -> None:
    """Value, segments, clusters, their figures and series: the whole of ``learn_accounts``."""
    rows = []
    for size in SIZES:
        interactions = order_lines(size)
        seconds = time_in_turn(
            ROUNDS,
            ours=lambda lines=interactions: learn(lines),  # type: ignore[misc]
            value=lambda lines=interactions: learn_customers(lines, AS_OF),  # type: ignore[misc]
            floor=lambda lines=interactions: sort_and_sum(lines),  # type: ignore[misc]
        )
        share = median(value / whole for value, whole in zip(seconds["value"], seconds["ours"], strict=True))
        bare, peak = peak_memory_mib(order_lines, size), peak_memory_mib(learn_simulated, size)
        note = f"value {share:.0%} of it; peak {peak:,.0f} MiB, {interactions.n_lines:,} lines alone {bare:,.0f}"
        rows.append((f"{size:,} accounts", seconds["ours"], seconds["floor"], note))
    show("All that is learned of accounts: value, segments, clusters, series", "one sort and sum", rows)


def learn_simulated(size: int) -> None:
    """All of it in a process of its own."""
    learn(order_lines(size))


def sort_and_sum(interactions: Interactions) -> NDArray[np.float64]:
    """Sort the lines by account and day, and sum up each account: the minimum that any of it needs."""
    days = interactions.time // DAY_SECONDS
    np.argsort(interactions.account * (days.max() + 1) + days)
    return np.bincount(interactions.account, weights=interactions.amount_minor).astype(np.float64)


def estimate_simulated(size: int) -> None:
    """All of it in a process of its own."""
    estimate_value(simulate(size), ValueParameters())


def likelihood(history: PurchaseHistory) -> float:
    """Evaluate the log-likelihood of BG/NBD once, as it is written in the paper, at its truth."""
    x, last, age = history.n_repeat, history.last_days, history.age_days
    common = gammaln(R + x) - gammaln(R) + R * np.log(ALPHA) - betaln(A, B)
    stayed = betaln(A, B + x) - (R + x) * np.log(ALPHA + age)
    left = np.where(x > 0, betaln(A + 1, np.maximum(B + x - 1, B)) - (R + x) * np.log(ALPHA + last), -np.inf)
    return float((common + np.logaddexp(stayed, left)).sum())


def simulate(size: int) -> PurchaseHistory:
    """Simulate purchases by the models."""
    random = np.random.default_rng(size)
    account, time = purchases(size, random)
    scale = random.gamma(3.5, 1 / 2_000, size)
    return history_of_events(
        account.astype(np.int32),
        (time * 86_400).astype(np.int64),
        random.gamma(4.0, 1 / scale[account]),
        np.ones(len(account), dtype=np.bool_),
        size,
        DAYS * 86_400,
    )


if __name__ == "__main__":
    main()
