"""The types of every field that a file or a request may hold: the one definition of what is valid.

Files are text, JSON or typed columns, so each type says which forms it reads. ``None``, blank text and a float NaN
(how many tools write a missing value) are all "not given" where a field is optional.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from service.rows.attribute_fields import read_attributes
from service.rows.number_fields import read_minor, read_money, read_quantity, read_stock, read_tier
from service.rows.text_fields import (
    MAX_IDENTIFIER,
    MAX_TEXT,
    is_blank,
    read_currency,
    read_flag,
    read_identifier,
    read_status,
    read_text,
)
from service.rows.time_fields import read_day, read_timestamp
from service.rows.value_formats import format_of

__all__ = [
    "MAX_IDENTIFIER",
    "MAX_TEXT",
    "NO_NUL",
    "WHOLE_IDENTIFIER",
    "Attributes",
    "Choice",
    "Flag",
    "Identifier",
    "OptionalCurrency",
    "OptionalDay",
    "OptionalIdentifier",
    "OptionalMinor",
    "OptionalMoney",
    "OptionalStock",
    "OptionalText",
    "OptionalTier",
    "OptionalTimestamp",
    "Quantity",
    "Status",
    "Timestamp",
    "optional",
    "optional_number",
    "optional_written",
    "written",
]
NO_NUL: Final = r"^[^\x00]*$"
"""Pattern of what may be looked up: PostgreSQL refuses a NUL even in a query parameter."""
WHOLE_IDENTIFIER: Final = r"^[^\s\x00]([^\x00]*[^\s\x00])?$"
"""Pattern of an identifier in a path that may be stored: without white space around it, as ``read_text`` leaves it."""


def optional(read: Any) -> BeforeValidator:
    """Make a reader's field optional: what is blank becomes None."""
    return BeforeValidator(lambda value: None if is_blank(value) else read(value))


def written(read: Any) -> BeforeValidator:
    """Have a field read as its file writes it: the reader takes a ``FieldFormat``, too."""
    return BeforeValidator(lambda value, info: read(value, format_of(info)))


def optional_written(read: Any) -> BeforeValidator:
    """Make such a field optional: what is blank becomes None."""
    return BeforeValidator(lambda value, info: None if is_blank(value) else read(value, format_of(info)))


def optional_number(read: Any) -> BeforeValidator:
    """Like ``optional_written``, but a NaN is a wrong amount, not a missing one."""
    return BeforeValidator(
        lambda value, info: None if is_blank(value) and not isinstance(value, float) else read(value, format_of(info))
    )


Identifier = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER), BeforeValidator(read_identifier)]
OptionalIdentifier = Annotated[str | None, optional(read_identifier)]
OptionalText = Annotated[str | None, optional(read_text)]
Timestamp = Annotated[datetime, written(read_timestamp)]
OptionalTimestamp = Annotated[datetime | None, optional_written(read_timestamp)]
OptionalDay = Annotated[date | None, optional_written(read_day)]
Quantity = Annotated[float, written(read_quantity)]
_NUMBER_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]})
OptionalMoney = Annotated[Decimal | None, optional_number(read_money), _NUMBER_SCHEMA]
OptionalMinor = Annotated[int | None, optional_number(read_minor)]
OptionalStock = Annotated[float | None, optional_number(read_stock), _NUMBER_SCHEMA]
OptionalTier = Annotated[int | None, optional_written(read_tier)]
OptionalCurrency = Annotated[str | None, optional(read_currency)]
Status = Annotated[Literal["placed", "cancelled"], BeforeValidator(read_status)]
Flag = Annotated[bool, BeforeValidator(lambda value: True if is_blank(value) else read_flag(value))]
Choice = Annotated[bool, BeforeValidator(lambda value: False if is_blank(value) else read_flag(value))]
Attributes = Annotated[dict[str, Any], BeforeValidator(read_attributes)]
