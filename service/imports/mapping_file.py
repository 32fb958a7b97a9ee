"""Options of an import that are kept in a file: a preset's, or the caller's own (``--mapping FILE.toml``)."""

import tomllib
from dataclasses import replace
from datetime import date, tzinfo
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.rows.arrangement import combined_name
from service.rows.conditions import parse_condition
from service.rows.errors import InvalidImportOption
from service.rows.layout import FileLayout, PackedItems, parse_delimiter, parse_encoding
from service.rows.options import (
    MAX_REJECTED_SHARE,
    AttributeType,
    ImportOptions,
    MatchProducts,
    UnknownProducts,
    parse_default_currency,
)
from service.rows.order_options import OnConflict, OrderLines, OrderOptions, parse_order_options
from service.rows.value_formats import FormatOptions, parse_date_formats, parse_zone

_PRESETS: Final = files("service.imports") / "presets"


def _as_text(value: object) -> object:
    """TOML has dates and times of its own."""
    return value.isoformat() if isinstance(value, date) else value


class PackedColumn(BaseModel):
    """A column of which each cell holds several items."""

    model_config = ConfigDict(extra="forbid")

    column: str
    item_separator: str = ";"
    field_separator: str = "|"
    key_separator: str = ":"


class MappingFile(BaseModel):
    """What a mapping file may hold. All of it is optional."""

    model_config = ConfigDict(extra="forbid")

    kind: str | None = Field(default=None, description="The kind of import that it is for, such as orders.")
    description: str | None = None
    fields: dict[str, str | list[str]] = Field(
        default={}, description="For each field the column that fills it, or several: the first that is not blank."
    )
    values: dict[str, dict[str, str]] = Field(default={}, description="For each field, what the file's values mean.")
    ignore: list[str] = []
    where: list[str] = []
    fill_down: list[str] = []
    fill_down_within: str | None = Field(default=None, description="Only between rows of one value of this column.")
    packed: list[PackedColumn] = []
    skip_rows: int | None = Field(default=None, ge=0)
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: list[str] = []
    timezone: str | None = None
    attribute_types: dict[str, AttributeType] = {}
    default_currency: str | None = None
    unknown_products: UnknownProducts | None = None
    match_products: MatchProducts | None = None
    max_rejected_share: float | None = Field(default=None, ge=0, le=1)
    order_key: str | None = Field(default=None, description="Comma-separated columns, as on the command line.")
    order_prefix: str | None = None
    on_conflict: OnConflict | None = None
    lines: OrderLines | None = None
    guest_values: str | None = Field(default=None, description="Comma-separated values, as on the command line.")
    keep_account_values: bool = False
    earliest: Annotated[str | None, BeforeValidator(_as_text)] = None
    latest: Annotated[str | None, BeforeValidator(_as_text)] = None

    def overridden_by(self, other: "MappingFile") -> "MappingFile":
        """These options, and another file's, which count where both name the same."""
        merged = self.model_dump(exclude_defaults=True)
        if other.guest_values or other.keep_account_values:
            merged.pop("guest_values", None)
            merged.pop("keep_account_values", None)
        for name, value in other.model_dump(exclude_defaults=True).items():
            before = merged.get(name)
            if isinstance(value, dict) and isinstance(before, dict):
                merged[name] = before | value
            elif isinstance(value, list) and isinstance(before, list):
                merged[name] = [*before, *(each for each in value if each not in before)]
            else:
                merged[name] = value
        return MappingFile.model_validate(merged)


def read_mapping_file(path: Path, kind_name: str) -> MappingFile:
    """Read a mapping file; raises InvalidImportOption for one that is not valid, or for another kind of import."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InvalidImportOption(f"{path}: the mapping file can't be read: {error}.") from error
    return _parse(content, str(path), kind_name)


def read_preset(name: str, kind_name: str) -> MappingFile:
    """The layout of a known system's export; raises InvalidImportOption if there is none."""
    path = _PRESETS / f"{name.strip().casefold()}.{kind_name}.toml"
    if not path.is_file():
        known = ", ".join(preset_names(kind_name)) or "there is none for this import"
        raise InvalidImportOption(f"--preset {name}: there is no such preset of {kind_name}; known: {known}.")
    return _parse(path.read_text(encoding="utf-8"), path.name, kind_name)


def preset_names(kind_name: str) -> list[str]:
    """The presets of a kind of import."""
    ending = f".{kind_name}.toml"
    return sorted(each.name.removesuffix(ending) for each in _PRESETS.iterdir() if each.name.endswith(ending))


def options_of(
    own: MappingFile, preset: MappingFile | None, mapping: list[tuple[str, str]], timezone: str = "UTC"
) -> ImportOptions:
    """The options that a mapping file, a preset under it and ``--map`` over it come to.

    timezone: of times without an offset, where neither file names one.
    """
    merged = preset.overridden_by(own) if preset else own
    zone = parse_zone(merged.timezone or timezone)
    mapped = {ours for _, ours in mapping}
    own_fields = {ours: theirs for ours, theirs in own.fields.items() if ours not in mapped}
    usual = {ours: _column(theirs) for ours, theirs in (preset.fields if preset else {}).items()}
    return ImportOptions(
        mapping=[*mapping, *((_column(theirs), ours) for ours, theirs in own_fields.items())],
        usual_columns=usual,
        values={
            name: {theirs.strip().casefold(): ours for theirs, ours in meanings.items()}
            for name, meanings in merged.values.items()
        },
        ignore=merged.ignore,
        where=[
            *(replace(parse_condition(text), is_optional=True) for text in (preset.where if preset else ())),
            *(parse_condition(text) for text in own.where),
        ],
        layout=FileLayout(
            encoding=parse_encoding(merged.encoding),
            delimiter=parse_delimiter(merged.delimiter),
            skip_rows=merged.skip_rows or 0,
            fill_down=merged.fill_down,
            fill_down_within=merged.fill_down_within,
            packed=[PackedItems(**packed.model_dump()) for packed in merged.packed],
            combined={ours: theirs for ours, theirs in merged.fields.items() if isinstance(theirs, list)},
            usual=frozenset([*preset.fill_down, *(each.column for each in preset.packed)]) if preset else frozenset(),
        ),
        formats=FormatOptions(merged.decimal, parse_date_formats(merged.date_format), zone),
        attribute_types=merged.attribute_types,
        default_currency=parse_default_currency(merged.default_currency),
        unknown_products=merged.unknown_products or "add",
        match_products=merged.match_products or "exactly",
        max_rejected_share=MAX_REJECTED_SHARE if merged.max_rejected_share is None else merged.max_rejected_share,
        orders=_order_options(merged, zone),
    )


def _order_options(mapping: MappingFile, zone: tzinfo) -> OrderOptions:
    options = parse_order_options(
        mapping.order_key,
        mapping.order_prefix,
        mapping.on_conflict,
        mapping.guest_values,
        mapping.keep_account_values,
        mapping.earliest,
        mapping.latest,
        zone,
    )
    return replace(options, lines=mapping.lines or "replace")


def write_mapping_file(path: Path, mapping: MappingFile, kind_name: str, columns: dict[str, str]) -> None:
    """Keep the options of an import, with the column that filled each field, to be used again.

    Raises InvalidImportOption if the file can't be written.
    """
    alternatives = {combined_name(names): names for names in mapping.fields.values() if isinstance(names, list)}
    fields: dict[str, str | list[str]] = {ours: alternatives.get(theirs, theirs) for ours, theirs in columns.items()}
    kept = mapping.model_copy(update={"kind": kind_name, "fields": fields})
    content: dict[str, Any] = kept.model_dump(exclude_none=True, exclude_defaults=True)
    try:
        path.write_text(tomli_w.dumps(content), encoding="utf-8")
    except OSError as error:
        raise InvalidImportOption(f"--save-mapping {path}: the file can't be written: {error.strerror}.") from error


def _column(theirs: str | list[str]) -> str:
    return combined_name(theirs) if isinstance(theirs, list) else theirs


def _parse(content: str, name: str, kind_name: str) -> MappingFile:
    try:
        mapping = MappingFile.model_validate(tomllib.loads(content))
    except tomllib.TOMLDecodeError as error:
        raise InvalidImportOption(f"{name}: the mapping file is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidImportOption(f"{name}: {place}: {first['msg']}.") from error
    if mapping.kind not in (None, kind_name):
        raise InvalidImportOption(f"{name}: the mapping file is for {mapping.kind}, not for {kind_name}.")
    return mapping
