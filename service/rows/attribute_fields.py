"""Reader of attributes: a JSON object of the caller's own names and values."""

import math
from datetime import date
from decimal import Decimal
from typing import Any, Final

import orjson

from service.rows.text_fields import EXACT_FLOAT, is_blank, read_text, shown

MAX_ATTRIBUTES_BYTES: Final = 16 * 1024
MAX_ATTRIBUTES_DEPTH: Final = 5


def read_attributes(value: object) -> dict[str, Any]:
    """An object of plain JSON values, bounded in depth and size; text is parsed as JSON."""
    if is_blank(value):
        return {}
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    plain = {read_text(name): _plain(item, 1) for name, item in value.items()}
    if len(orjson.dumps(plain)) > MAX_ATTRIBUTES_BYTES:
        raise ValueError(f"is larger than {MAX_ATTRIBUTES_BYTES} bytes")
    return plain


def _plain(value: object, depth: int) -> Any:
    """A value as JSON holds it: dates as ISO text, decimals as numbers."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return read_text(value, MAX_ATTRIBUTES_BYTES)
    if isinstance(value, int | float | Decimal):
        return _plain_number(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return _plain_container(value, depth + 1)
    raise ValueError(f"holds a value that JSON can't: {shown(value)}")


def _plain_number(value: int | float | Decimal) -> int | float:
    if not math.isfinite(value):
        raise ValueError(f"holds a number that is not finite: {value}")
    if not isinstance(value, float) and not -EXACT_FLOAT <= value <= EXACT_FLOAT:
        raise ValueError(f"holds a number too large to be exact: {value}; write it as text")
    return float(value) if isinstance(value, Decimal) else value


def _plain_container(value: dict[Any, Any] | list[Any], depth: int) -> Any:
    if depth > MAX_ATTRIBUTES_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_ATTRIBUTES_DEPTH} levels")
    if isinstance(value, list):
        return [_plain(item, depth) for item in value]
    return {read_text(name): _plain(item, depth) for name, item in value.items()}
