"""The evaluation of a training run as tables."""

from typing import TYPE_CHECKING, Any

import typer
from rich.table import Column, Table

from service.base.progress import console

if TYPE_CHECKING:
    from models.report import Report

TITLES = {
    "new": "Products new to the account, held-out period (n = {n} accounts)",
    "all": "All products, held-out period (n = {n} accounts)",
    "recent": "New to the account, and first sold within 60 days before the held-out period (n = {n} accounts)",
    "recent_candidates": "The same among the 100 candidates (n = {n} accounts)",
    "basket": "One hidden product of a basket, held-out period (n = {n} baskets)",
    "basket_propensity": "Probability that a product is the next in a basket, held-out period (n = {n} pairs)",
    "purchases": "Days on which accounts bought, held-out period (n = {n} accounts)",
    "spend_minor": "What accounts spent in minor units, held-out period (n = {n} accounts)",
    "propensity": "Probability that an account buys a candidate, held-out period (n = {n} pairs)",
    "line_propensity": "Probability that an account buys of a line that is new to it (n = {n} pairs)",
    "category_propensity": "Probability that an account buys of a category that is new to it (n = {n} pairs)",
}

MAX_COLUMNS = 5
"""More metrics than these stand below each other, or a terminal would cut their names off."""


def show_report(report: "Report") -> None:
    """Print the evaluation as tables: every model, each figure with half the width of its 95 % interval."""
    if report.notice:
        console.print(f"Note: {report.notice}.", highlight=False, soft_wrap=True)
    for target, models in report.metrics.items():
        names = list(next(iter(models.values())))
        n = next(iter(models.values()))[names[0]]["n"]
        title = TITLES[target].format(n=f"{n:,}")
        cells = [[_cell(metrics[name]) for name in names] for metrics in models.values()]
        if len(names) <= MAX_COLUMNS:
            _print_table(title, ["model", *names], [[model, *row] for model, row in zip(models, cells, strict=True)])
        else:
            turned = zip(names, *cells, strict=True)
            _print_table(title, ["metric", *models], [list(row) for row in turned])
    if repeat := report.propensity.get("repeat"):
        of_all, of_first = (_cell(repeat[name]) for name in ("observed_over_expected", "first_observed_over_expected"))
        console.print(
            f"Owned products bought again, observed over expected: {of_all}; each account's likeliest: {of_first}.",
            highlight=False,
            soft_wrap=True,
        )
    if note := report.propensity.get("note"):
        console.print(f"Propensity: {note}.", highlight=False, soft_wrap=True)


def _print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    if not console.is_terminal:
        lines = [title, *("\t".join(row) for row in (columns, *rows))]
        typer.echo("\n".join(lines), err=True)
        return
    table = Table(Column(columns[0], overflow="fold"), title=title, title_justify="left")
    for name in columns[1:]:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _cell(metric: dict[str, Any]) -> str:
    if metric["value"] is None:
        return "-"
    if metric["low"] is None:
        return f"{metric['value']:.4f}"
    return f"{metric['value']:.4f} ±{(metric['high'] - metric['low']) / 2:.4f}"
