"""Rearrange the rows of a file: fill blanks from above, unpack items that share a cell, combine columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from service.rows.chunks import Chunk, Progress, Source
from service.rows.errors import InvalidImportOption, no_column
from service.rows.layout import FileLayout, PackedItems
from service.rows.text_fields import is_blank

_SAMPLE_ROWS: Final = 1000
_COMBINED_SIGN: Final = " or "


def combined_name(columns: Sequence[str]) -> str:
    """The name of a column that is made of others."""
    return _COMBINED_SIGN.join(columns)


def arrange(source: Source, layout: FileLayout, is_nested: bool) -> Source:
    """Apply the layout to a source. is_nested: whether its values may be objects, whose members become columns."""
    if not (layout.fill_down or layout.packed or layout.combined or is_nested):
        return source
    return ArrangedSource(source, layout)


class ArrangedSource:
    """A source with more columns, and maybe more rows, than the file has.

    Members of objects are columns ``column.member``; so are the keys of packed items. ``combined`` columns hold the
    first value of theirs that is not blank.
    """

    def __init__(self, source: Source, layout: FileLayout) -> None:
        self.path = source.path
        self._source = source
        for name in (*layout.fill_down, *(packed.column for packed in layout.packed)):
            if name not in source.names and name not in layout.usual:
                raise InvalidImportOption(f"{source.path}: {no_column(name, source.names)}")
        self._within = layout.fill_down_within if layout.fill_down_within in source.names else None
        self._fill_down = [name for name in layout.fill_down if name in source.names]
        self._packed = {packed.column: packed for packed in layout.packed if packed.column in source.names}
        self._members = self._sampled_members()
        names = [*source.names, *self._members]
        self._combined = {
            combined_name(parts): present
            for parts in layout.combined.values()
            if (present := [name for name in parts if name in names])
        }
        self.names = [*names, *self._combined]
        self.origins: Mapping[str, Sequence[str]] = {
            **{name: [column] for name, column in self._members.items()},
            **{name: [self._members.get(part, part) for part in parts] for name, parts in self._combined.items()},
        }

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the rows, of which an order's row with several items makes several."""
        parts = list(dict.fromkeys(part for name in wanted for part in self._combined.get(name, [name])))
        groups = [self._within] if self._within else []
        needed = (*(self._members.get(name, name) for name in parts), *self._fill_down, *self._packed, *groups)
        base = dict.fromkeys(needed)
        above: dict[str, Any] = {}
        for chunk in self._source.chunks(list(base), rows, progress):
            for name in self._fill_down:
                group = chunk.columns.get(self._within, []) if self._within else [None] * len(chunk.lines)
                chunk.columns[name] = _filled_down(name, chunk.columns.get(name, []), group, above)
            for packed in self._packed.values():
                chunk = unpacked(chunk, packed)
            for name in parts:
                column = self._members.get(name)
                if column and column not in self._packed:
                    chunk.columns[name] = [_member(value, name[len(column) + 1 :]) for value in chunk.columns[column]]
            for name, combined in self._combined.items():
                if name in wanted:
                    chunk.columns[name] = _first_given([chunk.columns.get(part) for part in combined])
            yield chunk

    def _sampled_members(self) -> dict[str, str]:
        """The columns that values hold within them, each with the column that it is in."""
        members: dict[str, str] = {}
        sample = next(iter(self._source.chunks(self._source.names, _SAMPLE_ROWS, lambda _: None)), None)
        for column, values in sample.columns.items() if sample else ():
            packed = self._packed.get(column)
            objects = [item for value in values for item in items_of(value, packed)] if packed else values
            for each in objects:
                if isinstance(each, Mapping):
                    members |= {f"{column}.{path}": column for path in _paths(each)}
        return members


def unpacked(chunk: Chunk, packed: PackedItems) -> Chunk:
    """Make a row of each item; a row without any keeps its other columns, and its items' are blank."""
    items = [items_of(value, packed) or [{}] for value in chunk.columns.get(packed.column, [])]
    repeat = [row for row, row_items in enumerate(items) for _ in row_items]
    columns = {name: [values[row] for row in repeat] for name, values in chunk.columns.items()}
    flat = [item for row_items in items for item in row_items]
    for path in dict.fromkeys(path for item in flat for path in _paths(item)):
        columns[f"{packed.column}.{path}"] = [_member(item, path) for item in flat]
    extra = len(repeat) - len(chunk.lines)
    return replace(
        chunk, lines=[chunk.lines[row] for row in repeat], columns=columns, rows_read=chunk.rows_read + extra
    )


def items_of(value: object, packed: PackedItems) -> list[Mapping[str, Any]]:
    """The items that a cell holds: a list of objects, or text such as ``sku:A|qty:2;sku:B|qty:1``."""
    if isinstance(value, Mapping) and isinstance(value.get("data"), list):
        value = value["data"]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, Mapping)]
    if not isinstance(value, str) or is_blank(value):
        return []
    pieces = value.split(packed.item_separator)
    if not packed.key_separator:
        return [{"item": piece.strip()} for piece in pieces if piece.strip()]
    first_key = pieces[0].split(packed.key_separator, 1)[0] + packed.key_separator
    joined: list[str] = []
    for piece in pieces:
        # A value may hold the separator, too: an item begins with the key that the first one begins with.
        if piece.lstrip().startswith(first_key.lstrip()) or not joined:
            joined.append(piece)
        else:
            joined[-1] += packed.item_separator + piece
    return [_fields_of(piece, packed) for piece in joined if piece.strip()]


def _fields_of(text: str, packed: PackedItems) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for piece in text.split(packed.field_separator):
        name, sign, value = piece.partition(packed.key_separator)
        if sign and name.strip().replace("_", "").replace(" ", "").isalnum():
            key = name.strip()
            fields[key] = value.strip()
        elif key:
            fields[key] += packed.field_separator + piece
    return fields


def _paths(value: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The members of an object, those of its own objects among them, as ``a.b``."""
    paths = []
    for name, member in value.items():
        paths.append(f"{prefix}{name}")
        if isinstance(member, Mapping):
            paths += _paths(member, f"{prefix}{name}.")
    return paths


def _member(value: object, path: str) -> Any:
    for name in path.split(".") if isinstance(value, Mapping) and path not in value else [path]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _filled_down(name: str, values: Sequence[Any], groups: Sequence[Any], above: dict[str, Any]) -> list[Any]:
    """Repeat values in the blank cells below them, within their group. above: of each column, the last of both."""
    filled = []
    before, last_group = above.get(name, (None, None))
    for value, group in zip(values, groups, strict=True):
        if not is_blank(value) or group != last_group:
            before = None if is_blank(value) else value
        last_group = group
        filled.append(before)
    above[name] = (before, last_group)
    return filled


def _first_given(columns: Sequence[Sequence[Any] | None]) -> list[Any]:
    present = [column for column in columns if column is not None]
    return [next((value for value in row if not is_blank(value)), None) for row in zip(*present, strict=True)]
