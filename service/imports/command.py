"""``nextoffer import``: one command for each kind of import, all alike but for their help and some options."""

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from service.base.settings import Settings
from service.imports import definition_commands as definitions
from service.imports.arguments import FileOptions, with_file_options
from service.imports.importer import import_file
from service.imports.mapping_file import MappingFile, write_mapping_file
from service.imports.registry import IMPORT_KINDS
from service.imports.report import share_line, summary_lines
from service.rows.chunks import Progress
from service.rows.complete_files import TooManyRemovals
from service.rows.errors import TooManyRejects, UnreadableFile
from service.rows.import_kind import ImportKind
from service.rows.options import MAX_REMOVED_SHARE, ImportOptions
from service.rows.order_options import OrderLines
from service.rows.summary import ImportSummary
from service.storage.database import create_database_engine

EXIT_TOO_MANY_REJECTS: Final = 2
EXIT_TOO_LARGE_A_SHARE: Final = 4
_SECONDS_BETWEEN_LINES: Final = 5.0

app = typer.Typer(
    help="Import accounts, products, orders, relationships, deals, exchange rates from CSV, NDJSON (gzipped or not), "
    "Parquet, XLSX; and policies and goals from JSON.",
    no_args_is_help=True,
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, gzipped CSV, NDJSON, Parquet or XLSX.")]
RejectsPath = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Where rejected rows go; by default FILE.rejects.csv here.")
]
MaxRejects = Annotated[int | None, typer.Option(min=0, help="Stop with code 2 once more rows than this are rejected.")]
MaxRejectedShare = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Exit with code 4 if a larger share of the rows was rejected; by default 0.05."),
]
Lines = Annotated[
    OrderLines | None,
    typer.Option(
        help="An order's lines replace those that are stored, which is the default, so that what the files lack is "
        "removed; or are added to them, for files that hold orders in parts."
    ),
]
Complete = Annotated[
    bool,
    typer.Option(
        "--complete",
        help="The files hold everything: missing products are deactivated, missing accounts no longer described, and "
        "missing orders cancelled if they lie between the files' first and last.",
    ),
]
AllowRemovals = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="Remove at most this share of what is stored.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check the files and show the first rows as they would be stored.")
]
SaveMapping = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Keep these options in a TOML file, for --mapping.")
]


def make_command(kind: ImportKind) -> Callable[..., None]:
    """The command of one kind of import, with the options that it takes."""

    def command(
        files: Files,
        file_options: FileOptions,
        rejects: RejectsPath = None,
        max_rejects: MaxRejects = None,
        max_rejected_share: MaxRejectedShare = None,
        lines: Lines = None,
        complete: Complete = False,
        allow_removals: AllowRemovals = MAX_REMOVED_SHARE,
        dry_run: DryRun = False,
        save_mapping: SaveMapping = None,
    ) -> None:
        kept = file_options.options
        options = replace(
            kept,
            rejects=rejects,
            max_rejects=max_rejects,
            max_rejected_share=kept.max_rejected_share if max_rejected_share is None else max_rejected_share,
            orders=replace(kept.orders, lines=lines or kept.orders.lines),
            is_complete=complete,
            allow_removals=allow_removals,
            is_dry_run=dry_run,
        )
        summary = run_import(kind.name, files, options)
        if save_mapping:
            given = MappingFile(lines=lines, max_rejected_share=max_rejected_share)
            mapping = file_options.mapping.overridden_by(given)
            write_mapping_file(save_mapping, mapping, kind.name, summary.columns[files[0]])
        refuse_rejected_share(summary, options)

    of_orders = ("order_key", "order_prefix", "on_conflict", "lines", "earliest", "latest")
    is_taken = {
        "default_currency": kind.takes_default_currency,
        "attribute_type": "attributes" in kind.fields,
        **dict.fromkeys(("unknown_products", "match_products"), kind.takes_unknown_products),
        **dict.fromkeys(("complete", "allow_removals"), kind.takes_complete),
        **dict.fromkeys(of_orders, kind.takes_orders),
        **dict.fromkeys(("guest_values", "keep_account_values"), kind.takes_account_values),
    }
    left_out = frozenset(name for name, taken in is_taken.items() if not taken)
    whole: Callable[..., None] = with_file_options(command, kind.name, left_out)
    return whole


for _kind in IMPORT_KINDS.values():
    app.command(_kind.name, help=inspect.cleandoc(_kind.help))(make_command(_kind))

app.command("policies", help=inspect.cleandoc(definitions.POLICIES_HELP))(definitions.import_policies_command)
app.command("goals", help=inspect.cleandoc(definitions.GOALS_HELP))(definitions.import_goals_command)


def run_import(kind_name: str, files: list[Path], options: ImportOptions) -> ImportSummary:
    """Import files into the database of the settings, with progress and a summary on standard error."""
    console = Console(stderr=True, highlight=False)
    engine = create_database_engine(Settings().database_url)
    try:
        with _shown_progress(console) as progress:
            summary = import_file(engine, kind_name, files, options, progress)
    except TooManyRejects as error:
        console.print(f"[bold red]Stopped:[/] {error}", soft_wrap=True)
        _print_lines(console, summary_lines(error.summary, options))
        raise typer.Exit(EXIT_TOO_MANY_REJECTS) from error
    except (UnreadableFile, TooManyRemovals) as error:
        _print_lines(console, summary_lines(error.summary, options) if error.summary else [])
        raise
    finally:
        engine.dispose()
    _print_lines(console, summary_lines(summary, options))
    return summary


def refuse_rejected_share(summary: ImportSummary, options: ImportOptions) -> None:
    """Exit with EXIT_TOO_LARGE_A_SHARE if more of the rows were rejected than is accepted, or all of them."""
    if line := share_line(summary, options):
        _print_lines(Console(stderr=True, highlight=False), [line])
        raise typer.Exit(EXIT_TOO_LARGE_A_SHARE)


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
