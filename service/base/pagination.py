"""Pages of lists, and the one kind of cursor: opaque text that names a list and a position in it."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import orjson
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from service.base.errors import InvalidCursor

Item = TypeVar("Item")
Position = TypeVar("Position")
ListName = Sequence[str | None]
"""What tells a list from others, such as ``("targets", version, product_id, None)``."""

_Row = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
_Identifier = Annotated[str, Field(strict=True, min_length=1, pattern=r"^[^\x00]*$")]
ROW: Final[TypeAdapter[int]] = TypeAdapter(_Row)
IDENTIFIER: Final[TypeAdapter[str]] = TypeAdapter(_Identifier)
ROW_OR_IDENTIFIER: Final[TypeAdapter[int | str]] = TypeAdapter(_Row | _Identifier)


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; null on the last.")


def encode_cursor(list_name: ListName, position: object) -> str:
    """Write where a page of a list ends. position: what ``decode_cursor`` is to return."""
    return urlsafe_b64encode(orjson.dumps([*list_name, position])).decode().rstrip("=")


def decode_cursor(cursor: str | None, list_name: ListName, positions: TypeAdapter[Position]) -> Position | None:
    """Read where to go on; None without a cursor. Raises InvalidCursor, for a cursor of another list, too.

    positions: which positions the list has. What it accepts is passed on, to SQL for example.
    """
    if cursor is None:
        return None
    match _decode(cursor):
        case [*name, position] if name == list(list_name):
            try:
                return positions.validate_python(position)
            except ValidationError as error:
                raise InvalidCursor from error
    raise InvalidCursor


def decode_row(cursor: str | None, list_name: ListName) -> int:
    """Read where to go on in a list whose positions are rows; 0 without a cursor. Raises InvalidCursor."""
    return decode_cursor(cursor, list_name, ROW) or 0


def cut_page(
    rows: Sequence[Item], limit: int, list_name: ListName, position_of: Callable[[Item], object]
) -> tuple[Sequence[Item], str | None]:
    """Return a page's items and its next cursor. found: up to ``limit + 1`` items, from which it shows if more follow.

    position_of: returns the position of the page's last item; the next page begins after it.
    """
    items = rows[:limit]
    return items, encode_cursor(list_name, position_of(items[-1])) if len(rows) > limit else None


def _decode(cursor: str) -> Any:
    try:
        return orjson.loads(b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True))
    except ValueError as error:
        raise InvalidCursor from error
