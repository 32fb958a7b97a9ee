"""Where a page ends, as opaque text."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from service.base.errors import InvalidCursor


def encode_cursor(last: Any) -> str:
    """Write what the last item of a page is found by."""
    return urlsafe_b64encode(orjson.dumps(last)).decode().rstrip("=")


def decode_identifier(cursor: str) -> str:
    """Read the identifier that a page ends with; raises InvalidCursor."""
    after = decode_cursor(cursor)
    if not isinstance(after, str) or "\0" in after or not after:
        raise InvalidCursor
    return after


def decode_cursor(cursor: str) -> Any:
    """Read what a cursor says; raises InvalidCursor."""
    try:
        return orjson.loads(b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True))
    except ValueError as error:
        raise InvalidCursor from error


def encode_position(tag: Sequence[str | None], at: int | str) -> str:
    """Write where a page of a list ends. tag: which list it is."""
    return encode_cursor([*tag, at])


def read_position(cursor: str | None, tag: Sequence[str | None]) -> int | str:
    """Read where to go on, 0 without a cursor; raises InvalidCursor, for one of another list, too."""
    if cursor is None:
        return 0
    told = decode_cursor(cursor)
    if not isinstance(told, list) or told[:-1] != list(tag):
        raise InvalidCursor
    match told[-1]:
        case bool():
            raise InvalidCursor
        case int(at) if at >= 0:
            return at
        case str(name):
            return name
    raise InvalidCursor


def read_place(cursor: str | None, tag: Sequence[str | None]) -> int:
    """The same of a list whose places are numbers."""
    at = read_position(cursor, tag)
    if isinstance(at, str):
        raise InvalidCursor
    return at
