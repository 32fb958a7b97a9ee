"""Command-line options that every command which reads files shares."""

from typing import Annotated

import typer

from service.rows.options import UnknownProducts

Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="THEIRS=OURS", help="Which column fills which field; also attributes.NAME. Repeatable."
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help="COLUMN=VALUE, !=VALUE, ~REGEX or !~REGEX: skip other rows. Repeatable."),
]
DefaultCurrency = Annotated[
    str | None, typer.Option(metavar="CODE", help="Currency of rows that name none, such as EUR.")
]
Unknown = Annotated[
    UnknownProducts,
    typer.Option(
        help="An unknown product is matched by its spelling or else added; always added; or its row rejected."
    ),
]
