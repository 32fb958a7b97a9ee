"""How a domain declares that it can be imported from files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from service.rows.chunks import Source
from service.rows.column_mapping import is_field, map_columns
from service.rows.errors import InvalidImportOption
from service.rows.format_detection import FieldKind
from service.rows.import_run import ImportRun
from service.rows.options import ImportOptions
from service.rows.order_options import check_key


@dataclass(frozen=True)
class ImportKind:
    """One kind of import.

    help:        what ``nextoffer import NAME --help`` says.
    fields:      what a row may hold; those with ``attributes`` also take ``attributes.NAME``.
    mandatory:   fields that a file must have a column for.
    import_rows: imports one file.
    row_noun:    what rows are called in the summary; the name if empty.
    aliases:     other names of fields that a file may use.
    kinds:       which fields are numbers or dates, so that their values may be written in several ways.
    """

    name: str
    help: str
    fields: tuple[str, ...]
    mandatory: tuple[str, ...]
    import_rows: Callable[[Engine, ImportRun, datetime], None]
    row_noun: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, FieldKind] = field(default_factory=dict)
    takes_default_currency: bool = False
    takes_unknown_products: bool = False
    takes_complete: bool = False
    takes_orders: bool = False
    """Whether the options of orders apply, which tell orders apart and judge their dates and accounts."""
    takes_account_values: bool = False
    finish: Callable[[Engine, ImportRun, datetime], None] | None = None
    """Called after the last file of a command with its run."""

    def check_columns(
        self, source: Source, options: ImportOptions, also_mandatory: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Return the file's column for each field; raises MissingColumn if a mandatory field has none."""
        if unknown := [name for name in options.values if not is_field(name, self.fields)]:
            raise InvalidImportOption(
                f"--map-value {unknown[0]}: there is no field {unknown[0]}; the fields are {', '.join(self.fields)}."
            )
        has_key = self.takes_orders and bool(options.orders.key)
        mandatory = [name for name in (*self.mandatory, *also_mandatory) if not (has_key and name == "order_id")]
        columns = map_columns(source, self.fields, mandatory, options, self.aliases)
        if has_key:
            check_key(source.path, options.orders, source.names, columns)
        return columns
