"""The types of every field that a file or a request may hold: the one definition of what is valid.

Files are text, JSON or typed columns, so each type says which forms it reads. ``None``, blank text and a float NaN
(how many tools write a missing value) are all "not given" where a field is optional.
"""

import math
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BeforeValidator, Field, WithJsonSchema

from service.base.money import MAX_MINOR

MAX_IDENTIFIER: Final = 200
MAX_TEXT: Final = 1000
NO_NUL: Final = r"^[^\x00]*$"
"""Pattern of what may be looked up: PostgreSQL refuses a NUL even in a question."""
WHOLE_IDENTIFIER: Final = r"^[^\s\x00]([^\x00]*[^\s\x00])?$"
"""Pattern of an identifier in a path that may be stored: without white space around it, as ``read_text`` leaves it."""
MAX_QUANTITY: Final = 10**9
MAX_ATTRIBUTES_BYTES: Final = 16 * 1024
MAX_ATTRIBUTES_DEPTH: Final = 5
_MAX_NUMBER_DIGITS: Final = 64
_EXACT_FLOAT: Final = 2**53
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})


def is_blank(value: object) -> bool:
    """Whether an optional field was not given."""
    return value is None or (isinstance(value, str) and not value.strip()) or (type(value) is float and value != value)


def optional(read: Any) -> BeforeValidator:
    """Make a reader's field optional: what is blank becomes None."""
    return BeforeValidator(lambda value: None if is_blank(value) else read(value))


def optional_number(read: Any) -> BeforeValidator:
    """Like ``optional``, but a NaN is a wrong amount, not a missing one."""
    return BeforeValidator(lambda value: None if is_blank(value) and not isinstance(value, float) else read(value))


def shown(value: object) -> str:
    """A value as an error message quotes it, never long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_text(value: object, longest: int = MAX_TEXT) -> str:
    """Text without surrounding white space; numbers become their decimal text."""
    text = value.strip() if isinstance(value, str) else _number_text(value)
    if "\0" in text:
        raise ValueError("holds a NUL character, which can't be stored")
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("holds half of a surrogate pair, which is no character")
    return text


def read_identifier(value: object) -> str:
    """The caller's own identifier of an account, a product or an order."""
    if type(value) is int and abs(value) < _EXACT_FLOAT:
        return str(value)
    if is_blank(value):
        raise ValueError("is empty")
    return read_text(value, MAX_IDENTIFIER)


def _number_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"must be text or a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"is not a finite number: {value}")
    if isinstance(value, float) and abs(value) > _EXACT_FLOAT:
        raise ValueError(f"is a number too large to be exact: {value}; write it as text")
    return str(int(value)) if value == int(value) else str(value)


def read_decimal(value: object) -> Decimal:
    """A finite number, exactly as it was written; of a float, its shortest decimal form."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    number = _parse_decimal(repr(value) if isinstance(value, float) else str(value))
    if number is None:
        raise ValueError(f"is not a number: {shown(value)}")
    if not number.is_finite():
        raise ValueError(f"is not a finite number: {shown(value)}")
    if number and abs(number.adjusted()) > _MAX_NUMBER_DIGITS:
        raise ValueError(f"is out of range: {shown(value)}")
    return number or Decimal(0)


def _parse_decimal(text: str) -> Decimal | None:
    text = text.strip()
    if len(text) > _MAX_NUMBER_DIGITS or "_" in text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def read_integer(value: object) -> int:
    """A whole number, however it is written."""
    number = read_decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"is not a whole number: {shown(value)}")
    return int(number)


def read_money(value: object) -> Decimal:
    """An amount of money; whether it fits is known when quantity and currency are."""
    number = read_decimal(value)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR}")
    return number


def read_minor(value: object) -> int:
    """An amount in minor units."""
    number = read_integer(value)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR} minor units")
    return number


def read_quantity(value: object) -> float:
    """How many: negative for a return; 1 where it is not given."""
    if is_blank(value):
        if isinstance(value, float):
            raise ValueError("is not a finite number: nan")
        return 1.0
    number = read_decimal(value)
    if abs(number) > MAX_QUANTITY:
        raise ValueError(f"is more than {MAX_QUANTITY}")
    return float(number)


def read_tier(value: object) -> int:
    """A product's place within its family."""
    number = read_integer(value)
    if not -(2**31) <= number < 2**31:
        raise ValueError("is out of range")
    return number


def read_flag(value: object) -> bool:
    """true, false, 1, 0, yes, no."""
    word = str(value).strip().casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"must be one of true, false, 1, 0, yes, no, not {shown(value)}")


def read_currency(value: object) -> str:
    """An ISO 4217 code."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise ValueError(f"must be a currency's three letters, not {shown(value)}")
    return code


def read_status(value: object) -> str:
    """placed or cancelled; placed where it is not given."""
    if is_blank(value):
        return "placed"
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word in ("placed", "cancelled"):
        return word
    if word == "canceled":
        return "cancelled"
    raise ValueError(f"must be placed or cancelled, not {shown(value)}")


def read_timestamp(value: object) -> datetime:
    """An ISO 8601 date or time, a native one, or epoch seconds. What names no offset is UTC."""
    if is_blank(value):
        raise ValueError("is empty")
    moment = _parse_moment(value)
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is out of range: {shown(value)}") from None
    if not 1900 <= moment.year < 2200:
        raise ValueError(f"is outside the years 1900 to 2199: {moment.isoformat()}")
    return moment


def read_day(value: object) -> date:
    """The day of a moment, in UTC."""
    return read_timestamp(value).date()


def _parse_moment(value: object) -> datetime:
    if isinstance(value, str):
        return _parse_moment_text(value.strip())
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    raise ValueError(f"must be an ISO 8601 date or time, or epoch seconds, not {shown(value)}")


def _parse_moment_text(text: str) -> datetime:
    # Nine or ten digits are epoch seconds (1973 to 2286); eight are a date without its dashes.
    if text.isascii() and text.isdigit() and len(text) != 8:
        if len(text) in (9, 10):
            return _from_epoch(int(text))
        raise ValueError(f"is not an ISO 8601 date or time, nor epoch seconds: {shown(text)}")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is not an ISO 8601 date or time, such as 2017-03-31T09:30:00Z: {shown(text)}") from None


def _from_epoch(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"is out of range for epoch seconds: {seconds}") from None


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
    if not isinstance(value, float) and not -_EXACT_FLOAT <= value <= _EXACT_FLOAT:
        raise ValueError(f"holds a number too large to be exact: {value}; write it as text")
    return float(value) if isinstance(value, Decimal) else value


def _plain_container(value: dict[Any, Any] | list[Any], depth: int) -> Any:
    if depth > MAX_ATTRIBUTES_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_ATTRIBUTES_DEPTH} levels")
    if isinstance(value, list):
        return [_plain(item, depth) for item in value]
    return {read_text(name): _plain(item, depth) for name, item in value.items()}


Identifier = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER), BeforeValidator(read_identifier)]
OptionalIdentifier = Annotated[str | None, optional(read_identifier)]
OptionalText = Annotated[str | None, optional(read_text)]
Timestamp = Annotated[datetime, BeforeValidator(read_timestamp)]
OptionalTimestamp = Annotated[datetime | None, optional(read_timestamp)]
OptionalDay = Annotated[date | None, optional(read_day)]
Quantity = Annotated[float, BeforeValidator(read_quantity)]
_NUMBER_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]})
OptionalMoney = Annotated[Decimal | None, optional_number(read_money), _NUMBER_SCHEMA]
OptionalMinor = Annotated[int | None, optional_number(read_minor)]
OptionalTier = Annotated[int | None, optional(read_tier)]
OptionalCurrency = Annotated[str | None, optional(read_currency)]
Status = Annotated[Literal["placed", "cancelled"], BeforeValidator(read_status)]
Flag = Annotated[bool, BeforeValidator(lambda value: True if is_blank(value) else read_flag(value))]
Choice = Annotated[bool, BeforeValidator(lambda value: False if is_blank(value) else read_flag(value))]
Attributes = Annotated[dict[str, Any], BeforeValidator(read_attributes)]
