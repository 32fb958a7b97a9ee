"""Which column of a file fills which field."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from service.base.money import AMOUNT_FIELDS
from service.rows.chunks import Source
from service.rows.column_synonyms import suggested_columns
from service.rows.errors import InvalidImportOption, MissingColumn, no_column
from service.rows.options import ImportOptions


def map_columns(
    source: Source,
    fields: Sequence[str],
    mandatory: Sequence[str],
    options: ImportOptions,
    aliases: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the file's column for each field that has one.

    First come the columns that the caller maps, then those that a preset knows, then those of a field's own name:
    upper and lower case, spaces, hyphens and underscores make no difference there.

    aliases: another name of a field that a file may use, and the field.
    Raises MissingColumn if a mandatory field has none.
    """
    _check_ignored(source, options)
    mapped = _mapped(source, fields, options)
    free = [name for name in source.names if name not in {*mapped.values(), *options.ignore, *source.origins}]
    usual = {
        ours: theirs
        for ours, theirs in options.usual_columns.items()
        if theirs in source.names and theirs not in options.ignore and ours not in mapped
    }
    columns = _by_name(source.path, free, fields, aliases or {}, {*mapped, *usual}) | usual | mapped
    if missing := [name for name in mandatory if name not in columns]:
        filled = {*columns, *(AMOUNT_FIELDS if columns.keys() & set(AMOUNT_FIELDS) else ())}
        hint = suggested_mapping(free, [name for name in fields if name not in filled], set(columns.values()), missing)
        raise MissingColumn(source.path, missing, source.names, hint)
    return columns


def is_field(name: str, fields: Sequence[str]) -> bool:
    """Whether a kind of row with these fields has a field of this name; ``attributes.NAME`` is one of attributes."""
    return name in fields or (name.startswith("attributes.") and "attributes" in fields)


def suggested_mapping(columns: Iterable[str], fields: Sequence[str], taken: set[str], missing: Sequence[str]) -> str:
    """The ``--map`` options for all fields that a column is probably meant for, to be copied as a whole."""
    free = [column for column in columns if column not in taken]
    suggested = suggested_columns(free, fields, missing)
    return " ".join(f"--map {shlex.quote(f'{column}={name}')}" for name, column in suggested.items())


def _check_ignored(source: Source, options: ImportOptions) -> None:
    columns = [("--ignore", name) for name in options.ignore]
    columns += [("--where", condition.column) for condition in options.where if not condition.is_optional]
    for option, name in columns:
        if name not in source.names:
            raise InvalidImportOption(f"{source.path}: {option}: {no_column(name, source.names)}")


def _mapped(source: Source, fields: Sequence[str], options: ImportOptions) -> dict[str, str]:
    """The columns that the caller maps."""
    mapped: dict[str, str] = {}
    for theirs, ours in options.mapping:
        if theirs not in source.names:
            raise InvalidImportOption(f"{source.path}: --map {theirs}={ours}: {no_column(theirs, source.names)}")
        if not is_field(ours, fields):
            raise InvalidImportOption(
                f"--map {theirs}={ours}: there is no field {ours}; the fields are {', '.join(fields)}."
            )
        if mapped.setdefault(ours, theirs) != theirs:
            raise InvalidImportOption(f"--map: both {mapped[ours]} and {theirs} are mapped to {ours}.")
    return mapped


def _by_name(
    path: Path, free: Sequence[str], fields: Sequence[str], aliases: Mapping[str, str], taken: set[str]
) -> dict[str, str]:
    """The columns that are called like a field that has none yet: exactly, by an alias, or but for case and spaces."""
    columns = {aliases[name]: name for name in free if name in aliases and aliases[name] not in taken}
    columns |= {name: name for name in free if is_field(name, fields) and name not in taken}
    field_of = {_plain(name): name for name in fields} | {_plain(name): field for name, field in aliases.items()}
    alike: dict[str, list[str]] = {}
    for name in free:
        ours = field_of.get(_plain(_without_number(name)))
        if ours and ours not in taken and ours not in columns:
            alike.setdefault(ours, []).append(name)
    for ours, names in alike.items():
        if len(names) > 1:
            raise InvalidImportOption(
                f"{path}: each of the columns {', '.join(names)} could be {ours}. "
                f"Choose one with --map, or leave others out: --ignore {shlex.quote(names[-1])}"
            )
        columns[ours] = names[0]
    return columns


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "").replace("-", "")


def _without_number(name: str) -> str:
    """The name of a column that shares it with others: of ``Quantity (2)``, ``Quantity``."""
    bare, sign, number = name.rpartition(" (")
    return bare if sign and number.rstrip(")").isdigit() else name
