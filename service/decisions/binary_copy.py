"""Writes rows by PostgreSQL's COPY in its binary format (PostgreSQL's manual, COPY): the cheapest there is."""

import struct
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

BREATH_SECONDS: Final = 0.0001
ROWS_AT_ONCE: Final = 200
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = struct.pack("!h", -1)
_NULL: Final = struct.pack("!i", -1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_length = struct.Struct("!i").pack
_n_fields = struct.Struct("!h").pack
_integer = struct.Struct("!ii").pack
_big_integer = struct.Struct("!iq").pack
_float = struct.Struct("!id").pack


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], parts: Sequence[Sequence[tuple[Any, ...]]]
) -> None:
    """Copy rows into a table; raises IntegrityError if one is there already. parts: rows, some at a time."""
    layout = [_FORMATS.get(column, _text) for column in columns]
    begin = _n_fields(len(columns))
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary, ENCODING 'UTF8')"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_SIGNATURE)
        for part in parts:
            for first in range(0, len(part), ROWS_AT_ONCE):
                rows = part[first : first + ROWS_AT_ONCE]
                copy.write(b"".join([_laid_out(row, layout, begin) for row in rows]))
                # The driver need not wait for the network here; without a pause requests would wait for all of it.
                time.sleep(BREATH_SECONDS)
        copy.write(_END)


def _laid_out(row: tuple[Any, ...], layout: Sequence[Callable[[Any], bytes]], begin: bytes) -> bytes:
    fields = zip(layout, row, strict=True)
    return begin + b"".join([_NULL if value is None else encode(value) for encode, value in fields])


def _text(value: str) -> bytes:
    encoded = value.encode(errors="replace")
    return _length(len(encoded)) + encoded


def _as_integer(value: int) -> bytes:
    return _integer(4, value)


def _as_big_integer(value: int) -> bytes:
    return _big_integer(8, value)


def _as_float(value: float) -> bytes:
    return _float(8, value)


def _as_time(value: datetime) -> bytes:
    return _big_integer(8, (value - _EPOCH) // _MICROSECOND)


_FORMATS: Final[dict[str, Callable[[Any], bytes]]] = {
    "decided_at": _as_time,
    **dict.fromkeys(("start", "middle", "stop", "rank"), _as_integer),
    "value_minor": _as_big_integer,
    **dict.fromkeys(("propensity", "context", "lever", "priority", "selection_probability"), _as_float),
}
"""By column; texts without an entry."""
