"""Command-line options that every command which reads files shares."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

import typer

from service.base.settings import Settings
from service.imports.mapping_file import MappingFile, options_of, read_mapping_file, read_preset
from service.rows.conditions import parse_condition
from service.rows.errors import InvalidImportOption
from service.rows.layout import parse_delimiter, parse_encoding
from service.rows.options import (
    ImportOptions,
    MatchProducts,
    UnknownProducts,
    parse_attribute_types,
    parse_default_currency,
    parse_mapping,
    parse_value_maps,
)
from service.rows.order_options import OnConflict
from service.rows.value_formats import parse_date_formats, parse_decimal_sign

Texts = list[str] | None
Text = str | None


def _option(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002  as Typer calls it
    return typer.Option(*names, help=help, metavar=metavar)


class FileOptions(NamedTuple):
    """The options of a command that are about its files, and which of them were given."""

    options: ImportOptions
    mapping: MappingFile
    given: list[str]


def read_file_options(
    kind_name: str,
    preset: Annotated[Text, _option(help="Layout of a known system's export, such as shopify.", metavar="NAME")] = None,
    mapping_file: Annotated[
        Path | None, typer.Option("--mapping", exists=True, dir_okay=False, help="Options from a TOML file.")
    ] = None,
    mapping: Annotated[
        Texts,
        _option(
            "--map", help="Which column fills which field; also attributes.NAME. Repeatable.", metavar="THEIRS=OURS"
        ),
    ] = None,
    map_value: Annotated[
        Texts,
        _option(help="What a value of theirs means, as in status:refunded=cancelled.", metavar="FIELD:THEIRS=OURS"),
    ] = None,
    ignore: Annotated[Texts, _option(help="Leave a column out, whatever it is called.", metavar="COLUMN")] = None,
    where: Annotated[
        Texts,
        _option(help="COLUMN=VALUE, !=VALUE, ~REGEX or !~REGEX: skip other rows. Repeatable.", metavar="CONDITION"),
    ] = None,
    fill_down: Annotated[Texts, _option(help="A blank cell repeats the one above.", metavar="COLUMN")] = None,
    skip_rows: Annotated[int, typer.Option(min=0, help="Lines above the header.")] = 0,
    encoding: Annotated[Text, _option(help="By default UTF-8; cp1252, latin-1 …", metavar="NAME")] = None,
    delimiter: Annotated[Text, _option(help="By default the commonest of , ; tab | in the header.")] = None,
    decimal: Annotated[Text, _option(help="The decimal sign, . or , where a column leaves doubt.")] = None,
    date_format: Annotated[
        Texts,
        _option(
            help="dmy, mdy, excel … or a pattern such as %d.%m.%Y, where a column leaves doubt. Repeatable.",
            metavar="[FIELD:]FORMAT",
        ),
    ] = None,
    timezone: Annotated[
        Text,
        _option(
            help="Of times without an offset, such as Europe/Berlin; by default NEXTOFFER_TIMEZONE, or else UTC.",
            metavar="ZONE",
        ),
    ] = None,
    attribute_type: Annotated[
        Texts, _option(help="text, number, boolean or date; by default what a whole column shows.", metavar="NAME=TYPE")
    ] = None,
    default_currency: Annotated[
        Text, _option(help="Currency of rows that name none, such as EUR.", metavar="CODE")
    ] = None,
    unknown_products: Annotated[
        UnknownProducts | None, typer.Option(help="Add an unknown product, or reject its row; by default add.")
    ] = None,
    match_products: Annotated[
        MatchProducts | None,
        typer.Option(help="names: read GTXPro as GTX Pro, which differs in case and spaces alone; by default exactly."),
    ] = None,
    order_key: Annotated[
        Text,
        _option(
            help="Columns that identify an order together, where numbers repeat between shops or years: shop,number or "
            "number,ordered_at:year (also :month, :day).",
            metavar="COLUMN,COLUMN",
        ),
    ] = None,
    order_prefix: Annotated[
        Text, _option(help="Put before each order's identifier, such as the shop that it is of.", metavar="TEXT")
    ] = None,
    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(
            help="An order whose account or day is not that of the stored order of its number is refused, which is the "
            "default; replaces the stored one; or is left out, and the stored one kept."
        ),
    ] = None,
    guest_values: Annotated[
        Text,
        _option(
            help="Values of account_id that stand for a guest, in place of 0, -, n/a, none, null, unknown, guest and "
            "the like; +VALUE adds to these.",
            metavar="VALUE,VALUE",
        ),
    ] = None,
    keep_account_values: Annotated[
        bool,
        typer.Option("--keep-account-values", help="Take every value of account_id as an account, also 0 and guest."),
    ] = False,
    earliest: Annotated[
        Text, _option(help="Accept orders from this day on, however old; by default from 1980.", metavar="DATE")
    ] = None,
    latest: Annotated[
        Text, _option(help="Accept orders up to this day; by default up to tomorrow.", metavar="DATE")
    ] = None,
) -> FileOptions:
    """Put the options together: a preset's first, then a mapping file's, then those of the command line."""
    arguments = {name: value for name, value in locals().items() if name != "kind_name" and value}
    given = [f"--{_DISPLAYED.get(name, name).replace('_', '-')}" for name in arguments]
    own = MappingFile(
        values=parse_value_maps(map_value or ()),
        ignore=ignore or [],
        where=where or [],
        fill_down=fill_down or [],
        skip_rows=skip_rows or None,
        encoding=parse_encoding(encoding),
        delimiter=parse_delimiter(delimiter),
        decimal=parse_decimal_sign(decimal),
        date_format=date_format or [],
        timezone=timezone,
        attribute_types=parse_attribute_types(attribute_type or ()),
        default_currency=parse_default_currency(default_currency),
        unknown_products=unknown_products,
        match_products=match_products,
        order_key=order_key,
        order_prefix=order_prefix,
        on_conflict=on_conflict,
        guest_values=guest_values,
        keep_account_values=keep_account_values,
        earliest=earliest,
        latest=latest,
    )
    for condition in own.where:
        parse_condition(condition)
    parse_date_formats(own.date_format)
    known = read_preset(preset, kind_name) if preset else None
    if mapping_file:
        own = read_mapping_file(mapping_file, kind_name).overridden_by(own)
    options = options_of(own, known, parse_mapping(mapping or ()), Settings().timezone)
    return FileOptions(options, known.overridden_by(own) if known else own, given)


_DISPLAYED: Final = {"mapping": "map", "mapping_file": "mapping"}
_KEPT_AS: Final = {"attribute_type": "attribute_types"}
"""Options that mapping files call otherwise."""


def refuse_other_options(mapping: MappingFile, kind_name: str, left_out: frozenset[str]) -> None:
    """Raise InvalidImportOption if a mapping file holds options that its kind of import does not have."""
    held = mapping.model_dump(exclude_defaults=True)
    if others := sorted(_KEPT_AS.get(name, name) for name in left_out if _KEPT_AS.get(name, name) in held):
        raise InvalidImportOption(f"The mapping file holds {', '.join(others)}; {kind_name} have no such option.")


def with_file_options(command: Callable[..., None], kind_name: str, left_out: frozenset[str] = frozenset()) -> Any:
    """Give a command, in place of its parameter ``files``, the options that ``read_file_options`` reads.

    left_out: options that this command does not have.
    """
    shared = dict(list(inspect.signature(read_file_options).parameters.items())[1:])
    hints = get_type_hints(read_file_options, include_extras=True)
    options = [
        each.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in shared.items()
        if name not in left_out
    ]

    def wrapped(**arguments: Any) -> None:
        own = {name: arguments.pop(name) for name in shared if name in arguments}
        file_options = read_file_options(kind_name, **own)
        refuse_other_options(file_options.mapping, kind_name, left_out)
        command(**arguments, file_options=file_options)

    signature = inspect.signature(command)
    command_hints = get_type_hints(command, include_extras=True)
    before = [
        each.replace(annotation=command_hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in signature.parameters.items()
        if name != "file_options" and name not in left_out
    ]
    # Typer makes a command's options from the signature that the function shows.
    wrapped.__signature__ = signature.replace(parameters=[*before, *options])  # type: ignore[attr-defined]
    wrapped.__doc__ = command.__doc__
    return wrapped
