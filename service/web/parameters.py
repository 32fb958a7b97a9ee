"""Parameters that many routes have in common."""

from typing import Annotated, Any, Final

from fastapi import Header, Path, Query

from service.base.examples import ACCOUNT_ID, PRODUCT_ID
from service.rows.field_types import MAX_IDENTIFIER, MAX_TEXT, NO_NUL, WHOLE_IDENTIFIER

MAX_CURSOR: Final = 4000
MAX_PAGE_ITEMS: Final = 500
DEFAULT_PAGE_ITEMS: Final = 100

AccountInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[ACCOUNT_ID])]
NewAccountInPath = Annotated[
    str, Path(min_length=1, max_length=MAX_IDENTIFIER, pattern=WHOLE_IDENTIFIER, examples=[ACCOUNT_ID])
]
ProductInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[PRODUCT_ID])]
SegmentInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=["rfm.champions"])]
IfMatch = Annotated[
    str | None, Header(max_length=1000, description="The `ETag` as you know it: 412 if it was changed since.")
]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ITEMS, description="Most items to return.")]


def text_filter(description: str, max_length: int = MAX_TEXT) -> Any:
    """Return a query parameter that a stored text must equal."""
    return Query(max_length=max_length, pattern=NO_NUL, description=description)
