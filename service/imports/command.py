"""``nextoffer import``: files into the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from service.base.settings import Settings
from service.imports.importer import import_file
from service.imports.report import summary_lines
from service.rows.chunks import Progress
from service.rows.errors import InvalidImportOption, TooManyRejects, UnreadableFile
from service.rows.field_types import read_currency
from service.rows.options import ImportOptions, Kind, UnknownProducts, parse_condition
from service.storage.database import create_database_engine

EXIT_TOO_MANY_REJECTS: Final = 2
_SECONDS_BETWEEN_LINES: Final = 5.0

app = typer.Typer(
    help="Import accounts, products, orders, relationships, deals from CSV, NDJSON (gzipped or not), Parquet, XLSX.",
    no_args_is_help=True,
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, gzipped CSV, NDJSON, Parquet or XLSX.")]
Renames = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="THEIRS=OURS", help="Which column fills which field; also attributes.NAME. Repeatable."
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help="COLUMN=VALUE, !=VALUE, ~REGEX or !~REGEX: skip other rows. Repeatable."),
]
RejectsPath = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Where rejected rows go; by default FILE.rejects.csv here.")
]
MaxRejects = Annotated[int | None, typer.Option(min=0, help="Stop with code 2 once more rows than this are rejected.")]
DefaultCurrency = Annotated[
    str | None, typer.Option(metavar="CODE", help="Currency of rows that name none, such as EUR.")
]
Unknown = Annotated[
    UnknownProducts,
    typer.Option(
        help="An unknown product is matched by its spelling or else added; always added; or its row rejected."
    ),
]


@app.command()
def accounts(
    files: Files,
    renames: Renames = None,
    where: Where = None,
    rejects: RejectsPath = None,
    max_rejects: MaxRejects = None,
) -> None:
    """Import accounts: account_id, name, parent_account_id, is_strategic, attributes.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """
    run_import("accounts", files, _options(renames, where, rejects, max_rejects))


@app.command()
def products(
    files: Files,
    renames: Renames = None,
    where: Where = None,
    rejects: RejectsPath = None,
    max_rejects: MaxRejects = None,
    default_currency: DefaultCurrency = None,
) -> None:
    """Import products: product_id, name, line, category, family, tier, price, currency, margin, active, attributes.

    Money is in major units, or in minor ones as price_minor and margin_minor.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """
    run_import("products", files, _options(renames, where, rejects, max_rejects, default_currency))


@app.command()
def orders(
    files: Files,
    renames: Renames = None,
    where: Where = None,
    rejects: RejectsPath = None,
    max_rejects: MaxRejects = None,
    default_currency: DefaultCurrency = None,
    unknown_products: Unknown = "match",
) -> None:
    """Import order lines: order_id, account_id, product_id, ordered_at, quantity, currency, status, product_name.

    Their money is one of amount, amount_minor, unit_price and unit_price_minor. Without an account a line is a guest's;
    a negative quantity is a return. Importing a file again changes nothing, and completes an import that was cut off.
    """
    run_import("orders", files, _options(renames, where, rejects, max_rejects, default_currency, unknown_products))


@app.command()
def relationships(
    files: Files,
    renames: Renames = None,
    where: Where = None,
    rejects: RejectsPath = None,
    max_rejects: MaxRejects = None,
) -> None:
    """Import what people say of relationships: source_product_id, target_product_id, relation, status, note, author.

    Reads what GET /v1/relationships/export gives. A row replaces all that people said of its pair; status is added if
    left out, and mined takes back what people said. A file goes in whole, or not at all.
    """
    run_import("relationships", files, _options(renames, where, rejects, max_rejects))


@app.command()
def deals(
    files: Files,
    renames: Renames = None,
    where: Where = None,
    rejects: RejectsPath = None,
    max_rejects: MaxRejects = None,
    default_currency: DefaultCurrency = None,
    unknown_products: Unknown = "match",
) -> None:
    """Import deals: deal_id, account_id, product_id, stage, status, value, currency, opened_at, closed_at.

    Also expected_close; and value_minor in place of value. Status is open, won or lost: if left out, what the stage
    says. A won deal needs closed_at and becomes an order, so that the same purchases must not be imported as orders.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """
    run_import("deals", files, _options(renames, where, rejects, max_rejects, default_currency, unknown_products))


def _options(
    renames: list[str] | None,
    where: list[str] | None,
    rejects: Path | None,
    max_rejects: int | None,
    default_currency: str | None = None,
    unknown_products: UnknownProducts = "match",
) -> ImportOptions:
    return ImportOptions(
        mapping=[_parse_rename(text) for text in renames or ()],
        where=[parse_condition(text) for text in where or ()],
        rejects=rejects,
        max_rejects=max_rejects,
        default_currency=_parse_currency(default_currency),
        unknown_products=unknown_products,
    )


def _parse_rename(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.rpartition("=")
    if not sign or not theirs.strip() or not ours.strip():
        raise InvalidImportOption(f"--map {text}: write THEIRS=OURS.")
    return theirs.strip(), ours.strip()


def _parse_currency(code: str | None) -> str | None:
    try:
        return read_currency(code) if code else None
    except ValueError as error:
        raise InvalidImportOption(f"--default-currency {error}.") from error


def run_import(kind: Kind, files: list[Path], options: ImportOptions) -> None:
    console = Console(stderr=True, highlight=False)
    engine = create_database_engine(Settings().database_url)
    try:
        with _shown_progress(console) as progress:
            summary = import_file(engine, kind, files, options, progress)
    except TooManyRejects as error:
        console.print(f"[bold red]Stopped:[/] {error}", soft_wrap=True)
        _print_lines(console, summary_lines(error.summary))
        raise typer.Exit(EXIT_TOO_MANY_REJECTS) from error
    except UnreadableFile as error:
        _print_lines(console, summary_lines(error.summary) if error.summary else [])
        raise
    finally:
        engine.dispose()
    _print_lines(console, summary_lines(summary))


def _print_lines(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


@contextmanager
def _shown_progress(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere a line every few seconds."""
    if not console.is_terminal:
        yield _Occasionally(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        tasks: dict[Path, TaskID] = {}

        def show(at: Progress) -> None:
            if at.path not in tasks:
                tasks[at.path] = bar.add_task(at.path.name, total=at.total)
            bar.update(tasks[at.path], completed=at.done)

        yield show


class _Occasionally:
    """Prints progress, but not too often."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def __call__(self, at: Progress) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            line = f"{at.path.name}: {at.done:,} of {at.total:,} {at.unit}"
            self._console.print(line, markup=False, soft_wrap=True)
