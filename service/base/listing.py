"""Prints lists for whoever reads them: a person at a terminal, a shell's pipe, or a program."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

Item = Mapping[str, Any]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_list(columns: Sequence[str], items: Sequence[Item], *, is_json: bool) -> None:
    """Print items on standard output: as JSON, or as a table, or tab-separated where it is no terminal.

    columns: the keys that tables show. JSON has every key of an item.
    """
    if is_json:
        print_json(items)
    elif sys.stdout.isatty():
        print_table(columns, items)
    else:
        typer.echo("\t".join(columns))
        for item in items:
            typer.echo("\t".join(" ".join(text_of(item.get(column)).split()) for column in columns))


def print_json(document: object) -> None:
    """Print a document as JSON on standard output."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=text_of))


def print_table(columns: Sequence[str], items: Sequence[Item]) -> None:
    """Print items as a table on a terminal. Long cells are folded, never cut."""
    # Takes as long as all else of a small list, which the other forms need not.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for item in items:
        table.add_row(*(Text(text_of(item.get(column))) for column in columns))
    Console().print(table)


def text_of(value: object) -> str:
    """Return what people read: nothing for None, UTC times in ISO 8601, the parts of a list side by side."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return ",".join(text_of(part) for part in value)
    return str(value)
