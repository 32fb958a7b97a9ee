"""The propensity classifier on three more real targets, with baselines on the same examples.

Run: python -m benchmarks propensity

Intervals are 95 % bootstrap intervals over households, customers or contacts. The windows are described in
benchmarks/targets/.
"""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from benchmarks.measure import console
from benchmarks.targets.bank import CALIBRATED, FITTED, Window, first_alarms, fit_frozen, load_contacts, windows_of
from benchmarks.targets.caravan import TOP_SHARE, caught_in_top, load_customers, predict_caravan
from benchmarks.targets.coupons import predict_coupons
from benchmarks.targets.journey import load_journey
from models.evaluate.calibration import METRICS, Predictions, measure
from models.evaluate.drift import stability_limit
from models.evaluate.intervals import Estimate, estimate_mean
from service.demo.dataset import package_folder

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
CARAVAN, BANK = DATA / "caravan_train.parquet", DATA / "bank_marketing_full.parquet"
SEEDS = 5
SEED = 0
HEADINGS = (
    "contacts from", "n", "came true", "predicted", "error", "obs/exp", "z", "PSI", "AUC", "| error", "obs/exp", "AUC",
)  # fmt: skip


def main() -> None:
    show_measures("Coupons redeemed, campaigns from August 2017", predict_coupons(load_journey(package_folder())))
    if CARAVAN.exists():
        show_caravan(CARAVAN)
    if BANK.exists():
        show_bank(BANK)


def show_measures(title: str, models: Mapping[str, Predictions]) -> None:
    """Print one column of measures for each of the models."""
    table = Table(title=title, title_justify="left")
    table.add_column("measure")
    for name in models:
        table.add_column(name, justify="right")
    table.add_row(
        "n (accounts)",
        *(f"{len(predictions.p):,} ({len(set(predictions.account)):,})" for predictions in models.values()),
    )
    shares = [f"{predictions.is_true.mean():.3f} · {predictions.p.mean():.3f}" for predictions in models.values()]
    table.add_row("came true · predicted", *shares)
    measured = [measure(predictions, SEED) for predictions in models.values()]
    for metric in METRICS:
        table.add_row(metric.replace("_", " "), *(_text(figures[metric]) for figures in measured))
    console.print(table)


def show_caravan(path: Path) -> None:
    """Print the measures of one cross-validation, and of several what share of the buyers is in the top fifth."""
    customers = load_customers(path)
    runs = [predict_caravan(customers, seed) for seed in range(SEEDS)]
    show_measures("Caravan policies, cross-validated", runs[SEED])
    table = Table(title=f"Buyers in the top {TOP_SHARE:.0%}, {SEEDS} divisions into folds", title_justify="left")
    for heading in ("model", "first, with its interval", "each"):
        table.add_column(heading)
    for name in runs[SEED]:
        caught = [caught_in_top(run[name]) for run in runs]
        table.add_row(name, _text(estimate_mean(caught[SEED], SEED)), " ".join(f"{run.mean():.3f}" for run in caught))
    console.print(table)


def show_bank(path: Path) -> None:
    """Print what drift does to the calibration, window by window, and when it is noticed."""
    contacts = load_contacts(path)
    model = fit_frozen(contacts)
    table = Table(title="Term deposits in time order: frozen model | refitted before each window", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    windows = windows_of(contacts, model)
    for window in windows:
        table.add_row(*_row(window))
    console.print(table)
    limit = stability_limit(CALIBRATED - FITTED, len(windows[0].frozen.p))
    print(f"PSI is above {limit:.3f} by chance in one window of twenty; by convention .1 is stable, .25 is not.")
    for begin, watch in first_alarms(contacts, model):
        print(
            f"Watched from contact {begin:,}: odds seem multiplied by {watch.ratio:.2f} from {begin + watch.since:,}; "
            f"noticed after {(watch.noticed_after or 0) - watch.since:,} of those."
        )


def _row(window: Window) -> list[str]:
    frozen, refitted = measure(window.frozen, SEED), measure(window.refitted, SEED)
    return [
        f"{window.begin:,} {window.months}",
        f"{len(window.frozen.p):,}",
        f"{window.frozen.is_true.mean():.3f}",
        f"{window.frozen.p.mean():.3f}",
        f"{frozen['calibration_error'].mean:.3f}",
        f"{frozen['observed_over_expected'].mean:.2f}",
        f"{window.z:.1f}",
        f"{window.stability:.2f}",
        f"{frozen['auc'].mean:.3f}",
        f"{refitted['calibration_error'].mean:.3f}",
        f"{refitted['observed_over_expected'].mean:.2f}",
        f"{refitted['auc'].mean:.3f}",
    ]


def _text(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


if __name__ == "__main__":
    main()
