"""``nextoffer import``: one command for each kind of import, all alike but for their help and some options."""

import inspect
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
from service.imports.arguments import DefaultCurrency, Mapping, Unknown, Where
from service.imports.importer import import_file
from service.imports.registry import IMPORT_KINDS
from service.imports.report import summary_lines
from service.rows.chunks import Progress
from service.rows.errors import TooManyRejects, UnreadableFile
from service.rows.import_kind import ImportKind
from service.rows.options import (
    ImportOptions,
    parse_condition,
    parse_default_currency,
    parse_mapping,
)
from service.storage.database import create_database_engine

EXIT_TOO_MANY_REJECTS: Final = 2
_SECONDS_BETWEEN_LINES: Final = 5.0

app = typer.Typer(
    help="Import accounts, products, orders, relationships, deals from CSV, NDJSON (gzipped or not), Parquet, XLSX.",
    no_args_is_help=True,
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, gzipped CSV, NDJSON, Parquet or XLSX.")]
RejectsPath = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Where rejected rows go; by default FILE.rejects.csv here.")
]
MaxRejects = Annotated[int | None, typer.Option(min=0, help="Stop with code 2 once more rows than this are rejected.")]


def make_command(kind: ImportKind) -> Callable[..., None]:
    """The command of one kind of import, with the options that it takes."""

    def command(
        files: Files,
        mapping: Mapping = None,
        where: Where = None,
        rejects: RejectsPath = None,
        max_rejects: MaxRejects = None,
        default_currency: DefaultCurrency = None,
        unknown_products: Unknown = "match",
    ) -> None:
        options = ImportOptions(
            mapping=parse_mapping(mapping or ()),
            where=[parse_condition(text) for text in where or ()],
            rejects=rejects,
            max_rejects=max_rejects,
            default_currency=parse_default_currency(default_currency),
            unknown_products=unknown_products,
        )
        run_import(kind.name, files, options)

    is_taken = {"default_currency": kind.takes_default_currency, "unknown_products": kind.takes_unknown_products}
    signature = inspect.signature(command)
    parameters = [each for each in signature.parameters.values() if is_taken.get(each.name, True)]
    # Typer makes a command's options from the signature that the function shows.
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


for _kind in IMPORT_KINDS.values():
    app.command(_kind.name, help=inspect.cleandoc(_kind.help))(make_command(_kind))


def run_import(kind_name: str, files: list[Path], options: ImportOptions) -> None:
    """Import files into the database of the settings, with progress and a summary on standard error."""
    console = Console(stderr=True, highlight=False)
    engine = create_database_engine(Settings().database_url)
    try:
        with _shown_progress(console) as progress:
            summary = import_file(engine, kind_name, files, options, progress)
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
        yield _PeriodicLine(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        tasks: dict[Path, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.path not in tasks:
                tasks[progress.path] = bar.add_task(progress.path.name, total=progress.total)
            bar.update(tasks[progress.path], completed=progress.done)

        yield show


class _PeriodicLine:
    """Prints progress as a line, at most every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            line = f"{progress.path.name}: {progress.done:,} of {progress.total:,} {progress.unit}"
            self._console.print(line, markup=False, soft_wrap=True)
