"""The commands of the offline side: ``nextoffer train`` and ``nextoffer score``."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from service.base.progress import Steps, console, show_steps
from service.base.settings import Settings
from service.imports.arguments import FileOptions, with_file_options
from service.offers.smoke import smoke_test
from service.rows.chunks import Progress as FileProgress
from service.rows.options import ImportOptions
from service.rows.text_fields import read_currency
from service.storage.database import refuse_outdated_schema
from service.sync.artifact_store import ArtifactStore
from service.training.currency_notes import currency_notes
from service.training.errors import OptionInvalid, TrainingNotInstalled
from service.training.show_report import show_report

if TYPE_CHECKING:
    from models.data.extra_scores import ExtraScores
    from models.data.history import History
    from models.train import Trained, TrainingOptions
    from service.training.file_history import HistoryFiles

EXIT_REJECTED = 3
MAX_LABEL = 200
ReportingCurrency = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Currency of all money figures; by default that of most order lines."),
]
FileOption = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


def train(
    file_options: FileOptions,
    orders: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="Order lines; repeatable.")
    ] = None,
    products: FileOption = None,
    accounts: FileOption = None,
    exchange_rates: FileOption = None,
    reporting_currency: ReportingCurrency = None,
    rejects: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where invalid rows of the files are written.")
    ] = None,
    max_rejects: Annotated[
        int, typer.Option(min=0, help="Leave out up to so many invalid rows of the files; above, nothing is learned.")
    ] = 0,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Learn from what happened before this day, in the time zone of the settings."
        ),
    ] = None,
    horizon_days: Annotated[int, typer.Option(min=1, max=3650, help="Length of the held-out period.")] = 90,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder of artifacts.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Publish whatever the gate says; this is recorded.")] = False,
    publish: Annotated[
        bool,
        typer.Option("--publish/--no-publish", help="Activate the artifact if it is good enough, or only write it."),
    ] = True,
    label: Annotated[str, typer.Option(help="What lists and the API show beside the version.", metavar="TEXT")] = "",
    basket_only: Annotated[
        bool,
        typer.Option(
            "--basket-only",
            help="Learn from baskets alone: add-ons, relationships and popularity. Every order counts as a guest's; "
            "accounts get popular products.",
        ),
    ] = False,
    extra_scores: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Scores of another system: account_id, product_id, score (higher is better). They are blended with a "
            "weight that is chosen on the validation window, and are taken as given for all windows: they must not be "
            "made from the held-out period or the validation window before it, or their weight and the reported "
            "quality are too high.",
        ),
    ] = None,
    export_factors: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for accounts.parquet and products.parquet: the factors of ALS."),
    ] = None,
) -> None:
    """Learn from the sales history and publish an artifact if it is good enough.

    Reads the database, or the files given by --orders, with --products and --accounts if there are any. They are read
    as nextoffer import orders reads them: the same formats, columns and checks, and cancelled orders are left out.
    --preset, --where, --fill-down, --ignore, --map-value and the options that tell orders apart and judge their dates
    and accounts are about the order lines alone.
    All money is reported in one currency; what has no exchange rate on the day of its order is left out, and counted.
    Where all orders are guests', --basket-only learns what completes a basket: no list of any account, no segments
    and no probabilities. The gate then compares how often the hidden product of a later basket is among the first ten.
    The version is printed on standard output. Exit code 3: the artifact was written but the gate rejected it, so it
    was not published. With --no-publish the exit code is 0 whatever the gate says.
    """
    label = parse_label(label)
    if force and not publish:
        raise OptionInvalid("--force publishes, and --no-publish does not: leave one of them out.")
    if basket_only:
        refuse_account_options(_given(accounts=accounts, extra_scores=extra_scores, export_factors=export_factors))
    if orders is None:
        refuse_file_options(
            [
                *file_options.given,
                *_given(
                    products=products,
                    accounts=accounts,
                    exchange_rates=exchange_rates,
                    rejects=rejects,
                    max_rejects=max_rejects,
                ),
            ]
        )
    offline, settings = offline_module("models.train"), Settings()
    options = offline.TrainingOptions(
        as_of=_parse_as_of(as_of, settings.timezone),
        horizon_days=horizon_days,
        seed=seed,
        is_forced=force,
        label=label,
        factors_folder=export_factors,
        is_basket_only=basket_only,
    )
    currency = parse_reporting_currency(reporting_currency) or settings.reporting_currency or None
    with show_steps() as step:
        step("read the sales history")
        if orders is None:
            history = read_database(settings.database_url, currency, settings.timezone)
        else:
            read_options = replace(file_options.options, rejects=rejects, max_rejects=max_rejects)
            files = offline_module("service.training.file_history").HistoryFiles(
                orders, products, accounts, exchange_rates
            )
            history = read_files(files, read_options, currency, step, settings.timezone, is_basket_only=basket_only)
        for line in currency_notes(history):
            print_note(line)
        if extra_scores:
            options = replace(options, extra_scores=read_scores(extra_scores, history, step))
        store = ArtifactStore(out or settings.artifacts_dir, smoke_test)
        trained = train_and_publish(history, options, store, step, publishes=publish)
    show_report(trained.report)
    if described := trained.report.parameters.get("extra_scores"):
        for line in offline_module("service.training.extra_scores").extra_score_notes(described):
            print_note(line)
    show_outcome(trained, is_published=publish)


command = with_file_options(train, "orders")
"""``nextoffer train``, with the options about files that it shares with ``nextoffer import``."""


def refuse_file_options(given: list[str]) -> None:
    """Raise OptionInvalid if any option was given that is about files."""
    if given:
        raise OptionInvalid(f"{', '.join(given)}: about the files in --orders, so name those files too.")


def refuse_account_options(given: list[str]) -> None:
    """Raise OptionInvalid if any option was given that is about accounts."""
    if given:
        raise OptionInvalid(f"{', '.join(given)}: about accounts, of which --basket-only learns nothing.")


def _given(**options: object) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value]


def parse_label(text: str) -> str:
    """Check the text of ``--label``: one line, which lists can show."""
    label = text.strip()
    if len(label) > MAX_LABEL or not label.isprintable():
        raise OptionInvalid(f"--label: write one line of at most {MAX_LABEL} characters.")
    return label


def show_outcome(trained: "Trained", *, is_published: bool) -> None:
    """Say what became of the artifact; exits with EXIT_REJECTED if it was to be published and the gate rejected it."""
    typer.echo(trained.manifest.version)
    is_approved, reason = trained.manifest.verdict.is_approved, escape(trained.manifest.verdict.reason)
    if not is_approved:
        console.print(f"[bold red]Rejected:[/] {reason}", highlight=False, soft_wrap=True)
    if not is_published:
        version = trained.manifest.version
        console.print(f"Not published. To serve it: nextoffer artifacts activate {version}"
                      f"{'' if is_approved else ' --force'}", highlight=False, soft_wrap=True)  # fmt: skip
    elif is_approved:
        console.print(f"[bold green]Published[/] {escape(str(trained.folder))}", highlight=False, soft_wrap=True)
    else:
        raise typer.Exit(EXIT_REJECTED)


def read_database(url: str, reporting_currency: str | None, timezone: str) -> "History":
    """Read the history that is stored; raises SchemaOutdated."""
    refuse_outdated_schema(url)
    source = offline_module("models.data.sources.local")
    history: History = source.history_from_database(url, reporting_currency, timezone)
    return history


def read_files(
    files: "HistoryFiles",
    options: ImportOptions,
    reporting_currency: str | None,
    step: Steps,
    timezone: str,
    *,
    is_basket_only: bool = False,
) -> "History":
    """Read a history from files, and print what is worth knowing about them."""
    offline = offline_module("service.training.file_history")

    def show(progress: FileProgress) -> None:
        step(f"read {progress.path.name}", progress.done / max(progress.total, 1))

    history: History = offline.history_from_files(
        files, options, show, print_note, reporting_currency, timezone=timezone, is_basket_only=is_basket_only
    )
    return history


def read_scores(path: Path, history: "History", step: Steps) -> "ExtraScores":
    """Read extra scores of the accounts and products of a history."""
    offline = offline_module("service.training.extra_scores")

    def show(progress: FileProgress) -> None:
        step(f"read {progress.path.name}", progress.done / max(progress.total, 1))

    scores: ExtraScores = offline.read_extra_scores(path, history, show)
    return scores


def train_and_publish(
    history: Any, options: "TrainingOptions", store: ArtifactStore, step: Any, *, publishes: bool = True
) -> "Trained":
    """Train against the live artifact, and activate the result if that is wanted and the gate approved it."""
    live = store.active_version()
    trained: Trained = offline_module("models.train").train(
        history, options, store.root, store.folder_of(live) if live else None, step
    )
    if publishes and trained.manifest.verdict.is_approved:
        step("publish")
        store.activate(trained.manifest.version)
    return trained


def offline_module(name: str) -> ModuleType:
    """Import a part of the offline side; raises TrainingNotInstalled where its libraries are missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TrainingNotInstalled(error.name) from error


def parse_reporting_currency(code: str | None) -> str | None:
    """Parse the currency that all money is reported in."""
    try:
        return read_currency(code) if code else None
    except ValueError as error:
        raise OptionInvalid(f"--reporting-currency {error}.") from None


def _parse_as_of(text: str | None, timezone: str) -> int | None:
    """Return a day or a time in local seconds (see ``models.data.day_zone``)."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise OptionInvalid(f"--as-of {text}: not a date such as 2026-01-31") from None
    if time.tzinfo is None:
        return int(time.replace(tzinfo=UTC).timestamp())
    local_second: int = offline_module("models.data.day_zone").DayZone(timezone).to_local_second(int(time.timestamp()))
    return local_second


def print_note(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
