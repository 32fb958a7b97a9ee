"""How a domain declares that it can be imported from files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from service.rows.chunks import Source
from service.rows.errors import MissingColumn
from service.rows.import_run import ImportRun
from service.rows.options import ImportOptions, map_columns


@dataclass(frozen=True)
class ImportKind:
    """One kind of import.

    help:        what ``nextoffer import NAME --help`` says.
    fields:      what a row may hold; those with ``attributes`` also take ``attributes.NAME``.
    mandatory:   fields that a file must have a column for.
    import_rows: imports one file.
    row_noun:    what rows are called in the summary; the name if empty.
    aliases:     other names of fields that a file may use.
    """

    name: str
    help: str
    fields: tuple[str, ...]
    mandatory: tuple[str, ...]
    import_rows: Callable[[Engine, ImportRun, datetime], None]
    row_noun: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    takes_default_currency: bool = False
    takes_unknown_products: bool = False

    def check_columns(
        self, source: Source, options: ImportOptions, also_mandatory: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Return the file's column for each field; raises MissingColumn if a mandatory field has none."""
        columns = map_columns(source.path, source.names, self.fields, options, self.aliases)
        missing = [name for name in (*self.mandatory, *also_mandatory) if name not in columns]
        if missing:
            raise MissingColumn(source.path, missing, source.names)
        return columns
