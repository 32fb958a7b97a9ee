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

    def check_columns(
        self, source: Source, options: ImportOptions, also_mandatory: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Return the file's column for each field; raises MissingColumn if a mandatory field has none."""
        if unknown := [name for name in options.values if not is_field(name, self.fields)]:
            raise InvalidImportOption(
                f"--map-value {unknown[0]}: there is no field {unknown[0]}; the fields are {', '.join(self.fields)}."
            )
        return map_columns(source, self.fields, (*self.mandatory, *also_mandatory), options, self.aliases)
