"""Offers of what accounts own already, against what households bought later: The Complete Journey.

Run: python -m benchmarks repeats

An artifact is trained on the history until 90 days before its end. Lists of 20 products are compared with all that was
bought afterwards: by `include_owned`, in the order of `relevance` and by the other strategies; and by policies that
make every product consumable after its learned interval, or unlimited. Intervals are 95 % bootstrap intervals over
households. Then: how many owned products were bought again, over how many were expected to be.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.bench_strategies import (
    SEED,
    LaterPurchases,
    measure_strategy,
    show_results,
    text_of,
    train_before_the_end,
)
from benchmarks.data import demo_lines
from benchmarks.measure import console
from models.arrays import numbers_of_ranges
from models.evaluate.intervals import estimate_ratio
from service.base.arbitration_options import ArbitrationOptions, Strategy
from service.base.time_zones import day_of
from service.demo.dataset import prepare_files
from service.readmodel.active_policies import ActivePolicies
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_columns import ProductColumns
from service.readmodel.repurchases import RepurchaseMode, RepurchasePolicies, RepurchasePolicy
from service.training.file_history import HistoryFiles


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = HistoryFiles([demo_lines(root / "lines.parquet")], products=prepare_files(root / "demo").products)
        measure_all(train_before_the_end(files, root))


def measure_all(later: LaterPurchases) -> None:
    """Measure lists, and then probabilities."""
    accounts, plain = later.accounts_with(later.bought), ArbitrationOptions(is_up_sell_first=False)
    results = {
        f"include_owned, {strategy}": measure_strategy(
            later.state, later.bought, accounts, replace(plain, strategy=strategy), includes_owned=True
        )
        for strategy in (Strategy.RELEVANCE, Strategy.PROPENSITY, Strategy.EXPECTED_VALUE)
    }
    by_propensity = replace(plain, strategy=Strategy.PROPENSITY)
    for mode in RepurchaseMode:
        state = with_policy(later.state, mode)
        results[str(mode)] = measure_strategy(state, later.bought, accounts, by_propensity, now=later.as_of)
    show_results(results)
    show_calibration(later)


def with_policy(state: LiveState, mode: RepurchaseMode) -> LiveState:
    """Return a state of the same artifact in which all products have a mode."""
    changed = LiveState(state.content, 0)
    active = changed.part(ActivePolicies)
    columns = ProductColumns(changed.part(CatalogueView))
    policies = RepurchasePolicies([RepurchasePolicy("all", mode)], columns, changed.content.repurchases)
    changed.replace_part(
        ActivePolicies(active.policies, active.accounts, active.products, active.switched_off, repurchases=policies)
    )
    return changed


def show_calibration(later: LaterPurchases) -> None:
    """Print observed over expected repeat purchases of all that is owned, and of what is due, or not yet."""
    content = later.state.content
    account = numbers_of_ranges(content.owned_offsets)
    p = content.owned_scores.astype(np.float64)
    bought = np.asarray(later.bought[account, content.owned_products]).ravel().astype(np.float64)
    learned = content.repurchases
    wait = np.ceil(learned.interval_days[content.owned_products])
    since = day_of(later.as_of, later.as_of.tzinfo) - learned.last_days  # type: ignore[arg-type]
    table = Table(title="Owned products that were bought again in the next 90 days", title_justify="left")
    for heading in ("products", "pairs", "bought again", "observed over expected", "… of each account's likeliest"):
        table.add_column(heading)
    groups = {"all": np.ones(len(p), dtype=np.bool_), "due": since >= wait, "not due": since < wait}
    groups |= {"without an interval": np.isnan(wait)}
    for name, is_in in groups.items():
        share = f"{bought[is_in].mean():.4f}" if is_in.any() else "-"
        table.add_row(name, f"{is_in.sum():,}", share, *ratios_of(account[is_in], p[is_in], bought[is_in]))
    console.print(table)


def ratios_of(account: NDArray[np.int64], p: NDArray[np.float64], bought: NDArray[np.float64]) -> list[str]:
    """Return observed over expected of some pairs, and of the likeliest of each account."""
    _, number = np.unique(account, return_inverse=True)
    order = np.lexsort((-p, number))
    first = order[np.unique(number[order], return_index=True)[1]]
    sums = np.bincount(number, bought).astype(np.float64), np.bincount(number, p).astype(np.float64)
    return [text_of(estimate_ratio(above, below, SEED)) for above, below in (sums, (bought[first], p[first]))]


if __name__ == "__main__":
    main()
