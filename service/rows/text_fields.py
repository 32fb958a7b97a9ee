"""Readers of text: identifiers, names, flags, codes."""

import math
import shlex
from decimal import Decimal
from typing import Final

MAX_IDENTIFIER: Final = 200
MAX_TEXT: Final = 1000
EXACT_FLOAT: Final = 2**53
"""Up to here a double holds every whole number exactly."""
FIELD: Final = "FIELD"
"""Stands in the reasons of readers for the name of the field that they read."""
_PLACED: Final = frozenset(
    ("placed", "paid", "processing", "completed", "complete", "confirmed", "shipped", "delivered", "fulfilled")
)
_CANCELLED: Final = frozenset(("cancelled", "canceled", "voided", "void"))
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})


def is_blank(value: object) -> bool:
    """Whether an optional field was not given."""
    return value is None or (isinstance(value, str) and not value.strip()) or (type(value) is float and value != value)


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
    if type(value) is int and abs(value) < EXACT_FLOAT:
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
    if isinstance(value, float) and abs(value) > EXACT_FLOAT:
        raise ValueError(f"is a number too large to be exact: {value}; write it as text")
    return str(int(value)) if value == int(value) else str(value)


def read_flag(value: object) -> bool:
    """true, false, 1, 0, yes, no."""
    text = str(value).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(
        f"must be one of true, false, 1, 0, yes, no, not {shown(value)}. In a file, say what it means, as in "
        f"--map-value {quoted_meaning(FIELD, text, 'false')}"
    )


def quoted_meaning(field: str, value: object, meaning: str) -> str:
    """What ``--map-value`` is given, to be copied into a shell. A value means the same in upper and lower case."""
    return shlex.quote(f"{field}:{str(value).strip()}={meaning}")


def read_currency(value: object) -> str:
    """An ISO 4217 code."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise ValueError(f"must be a currency's three letters, not {shown(value)}")
    return code


def read_status(value: object) -> str:
    """placed or cancelled, or a word that can only mean one of them; placed where it is not given."""
    if is_blank(value):
        return "placed"
    status = value.strip().casefold().removeprefix("wc-") if isinstance(value, str) else ""
    if status in _PLACED:
        return "placed"
    if status in _CANCELLED:
        return "cancelled"
    raise ValueError(
        f"must be placed or cancelled, not {shown(value)}. In a file, say what it means, as in --map-value "
        f"{quoted_meaning('status', value, 'cancelled')} (or placed), or leave the column out: --ignore COLUMN"
    )
