"""Where a page ends, as opaque text."""

from base64 import b64decode, urlsafe_b64encode
from typing import Any

import orjson

from service.catalogue.errors import InvalidCursor


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
