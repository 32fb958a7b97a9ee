"""Forecasts of sales goals, tried on the past: coverage of the 80 % interval, and error beside the plain run rate.

A goal is a line (or category) and a month. It is forecast at the beginning of the month, and after a third and two
thirds of it, from what was sold before. The demo's lines are departments, its categories those of its products; it
covers 2017. Online Retail has neither: a line there is the last word of the product's description. A month counts
where at least twelve weeks of sales precede it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.measure import console
from service.base.clock import EPOCH_ORDINAL
from service.demo.dataset import package_folder
from service.readmodel.sales_forecast import forecast_sales

MIN_HISTORY_DAYS = 84
MIN_DAYS_SOLD = 60
STAGES = (0.0, 1 / 3, 2 / 3)
RUN_RATE_DAYS = 28
ONLINE_RETAIL = Path(__file__).parents[2] / "shared" / "data" / "online_retail.parquet"

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """One forecast of a month, and what came. series: of which line."""

    series: str
    stage: float
    booked: float
    actual: float
    expected: float
    low: float
    high: float
    run_rate: float


def main() -> None:
    table = Table(title="Goals of a line and a month: forecast and run rate", title_justify="left")
    columns = (
        "goals", "elapsed", "n", "lines", "80 % covers", "below", "above", "width", "error", "run rate's", "ratio",
    )  # fmt: skip
    for name in columns:
        table.add_column(name, justify="left" if name == "goals" else "right")
    for name, days, series in _histories():
        outcomes = [outcome for key, values in series.items() for outcome in _outcomes(key, days, values)]
        for stage in STAGES:
            table.add_row(name, f"{stage:.0%}", *_summary([item for item in outcomes if item.stage == stage]))
        table.add_row(name, "all", *_summary(outcomes), end_section=True)
    console.print(table)
    console.print(
        "Error: sum of absolute errors over the sum of what came. Width: of the interval, over what came (median)."
    )


def _histories() -> Iterator[tuple[str, Values, dict[str, Values]]]:
    """Yield what was sold: a name, the days since 1970, and the daily sums by line."""
    transactions = pq.read_table(package_folder() / "transactions.parquet")
    products = pq.read_table(package_folder() / "products.parquet")
    by_id = dict(zip(products["product_id"].to_pylist(), range(products.num_rows), strict=True))
    rows = np.array([by_id.get(key, -1) for key in transactions["product_id"].to_pylist()])
    seconds = transactions["transaction_timestamp"].cast("timestamp[s]").cast("int64").to_numpy()
    for column, name in (("department", "demo, line"), ("product_category", "demo, category")):
        texts = np.array([*(text or "" for text in products[column].to_pylist()), ""], dtype=object)[rows]
        for measure, values in (("units", transactions["quantity"]), ("revenue", transactions["sales_value"])):
            yield f"{name}, {measure}", *_by_day(texts, seconds // 86_400, values.to_numpy().astype(float))
    if not ONLINE_RETAIL.is_file():
        return
    retail = pq.read_table(ONLINE_RETAIL)
    texts = np.array(
        [(text or "").strip().rpartition(" ")[2] for text in retail["description"].to_pylist()], dtype=object
    )
    day = retail["invoice_date"].cast("timestamp[s]").cast("int64").to_numpy() // 86_400
    quantity, price = retail["quantity"].to_numpy().astype(float), retail["unit_price"].to_numpy()
    yield "Online Retail, units", *_by_day(texts, day, quantity)
    yield "Online Retail, revenue", *_by_day(texts, day, quantity * price)


def _by_day(texts: NDArray[np.object_], day: NDArray[np.int64], value: Values) -> tuple[Values, dict[str, Values]]:
    names, code = np.unique(texts.astype(str), return_inverse=True)
    first, n_days = int(day.min()), int(day.max() - day.min()) + 1
    sums = np.bincount(code * n_days + day - first, value, len(names) * n_days).reshape(len(names), n_days)
    is_regular = (sums > 0).sum(axis=1) >= MIN_DAYS_SOLD
    return np.arange(first, first + n_days, dtype=np.float64), {
        str(names[row]): sums[row] for row in np.flatnonzero(is_regular).tolist() if names[row]
    }


def _outcomes(series: str, days: Values, values: Values) -> Iterator[Outcome]:
    first, last = int(days[0]), int(days[-1])
    month = date.fromordinal(first + EPOCH_ORDINAL).replace(day=1)
    while month.toordinal() - EPOCH_ORDINAL <= last:
        following = (month + timedelta(days=32)).replace(day=1)
        begin, end = (day.toordinal() - EPOCH_ORDINAL - first for day in (month, following))
        month = following
        if begin < MIN_HISTORY_DAYS or end > len(values):
            continue
        for stage in STAGES:
            today = begin + round(stage * (end - begin))
            forecast = forecast_sales(values[:today], 0, end - today)
            if forecast is None:
                continue
            booked, actual = float(values[begin:today].sum()), float(values[begin:end].sum())
            run_rate = booked + float(values[today - RUN_RATE_DAYS : today].mean()) * (end - today)
            bounds = (booked + forecast.expected, booked + forecast.low, booked + forecast.high)
            yield Outcome(series, stage, booked, actual, *bounds, run_rate)


def _summary(outcomes: list[Outcome]) -> list[str]:
    actual = np.array([item.actual for item in outcomes])
    low, high = np.array([item.low for item in outcomes]), np.array([item.high for item in outcomes])
    expected, run_rate = np.array([item.expected for item in outcomes]), np.array([item.run_rate for item in outcomes])
    error, plain = np.abs(expected - actual).sum(), np.abs(run_rate - actual).sum()
    total = np.abs(actual).sum()
    width = np.median((high - low) / np.maximum(np.abs(actual), 1e-9))
    shares = ((actual >= low) & (actual <= high), actual < low, actual > high)
    n_lines = len({item.series for item in outcomes})
    return [
        f"{len(outcomes):,}", str(n_lines), *(f"{share.mean():.3f}" for share in shares), f"{width:.2f}",
        f"{error / total:.3f}", f"{plain / total:.3f}", f"{error / plain:.3f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
