"""What identifies an order in a file: one column, several of them together, or either behind a prefix."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from service.rows.chunks import Chunk
from service.rows.conditions import as_text
from service.rows.import_run import ImportRun
from service.rows.order_options import PERIODS, split_period
from service.rows.text_fields import is_blank
from service.rows.time_fields import read_day

COLUMN: Final = "order key"
"""The column that a chunk gets for what identifies its orders."""


class OrderKey:
    """Reads what identifies the orders of a file.

    import_run: has the columns of the file, and how it writes its dates.
    """

    def __init__(self, import_run: ImportRun) -> None:
        options, columns = import_run.options.orders, import_run.columns
        self._written = import_run.formats.field("ordered_at")
        names = options.key or (columns["order_id"],)
        self._parts = [_part_of(name, columns) for name in names]
        self._prefix = options.prefix
        self.is_made = bool(options.key or options.prefix)
        self.column = COLUMN if self.is_made else columns["order_id"]

    def keyed(self, import_run: ImportRun) -> ImportRun:
        """The run of a file with a column that identifies its orders."""
        return replace(import_run, columns={**import_run.columns, "order_id": self.column})

    def add_to(self, chunk: Chunk) -> Chunk:
        """The chunk with a column that identifies its orders."""
        if not self.is_made:
            return chunk
        return Chunk(chunk.lines, {**chunk.columns, COLUMN: self.values(chunk)}, chunk.unreadable, chunk.rows_read)

    def remove_from(self, chunk: Chunk) -> Chunk:
        """The chunk as the file has it."""
        if not self.is_made:
            return chunk
        columns = {name: values for name, values in chunk.columns.items() if name != COLUMN}
        return Chunk(chunk.lines, columns, chunk.unreadable, chunk.rows_read)

    def values(self, chunk: Chunk) -> list[Any]:
        """What identifies the order of each row; None where a part of it is blank."""
        empty = [None] * len(chunk.lines)
        columns = [chunk.columns.get(column) or empty for column, _ in self._parts]
        if not self.is_made:
            return columns[0]
        rows = zip(*columns, strict=True)
        known: dict[tuple[Any, ...], str | None] = {}
        keys = list(rows)
        for key in set(keys):
            known[key] = self._join(key)
        return [known[key] for key in keys]

    def _join(self, values: Sequence[Any]) -> str | None:
        texts = [self._text_of(value, period) for value, (_, period) in zip(values, self._parts, strict=True)]
        if not all(texts):
            return None
        if len(texts) > 1:
            # No two different keys may become the same text.
            texts = [text.replace("%", "%25").replace("/", "%2F") for text in texts]
        return self._prefix + "/".join(texts)

    def _text_of(self, value: Any, period: str) -> str:
        if is_blank(value):
            return ""
        text = as_text(value).strip()
        try:
            return read_day(value, self._written).isoformat()[: PERIODS[period]] if period else text
        except ValueError:
            return text


def _part_of(name: str, columns: Mapping[str, str]) -> tuple[str, str]:
    column, period = split_period(name, (*columns.values(), *columns))
    return columns.get(column, column), period
