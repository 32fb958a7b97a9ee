"""How numbers are written in files, and reading them."""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

DecimalSign = Literal[".", ","]
MAX_DIGITS: Final = 64
_SPACES: Final = str.maketrans(dict.fromkeys(" \u00a0\u202f\u2009", "_"))
_GROUPED: Final = {
    # Groups of three digits; in India, of two before the last.
    ".": re.compile(r"\d{1,3}([,_'\u2019])(?:\d{2,3}\1)*\d{3}(?:\.\d*)?"),
    ",": re.compile(r"\d{1,3}([._'\u2019])(?:\d{2,3}\1)*\d{3}(?:,\d*)?"),
}


def parse_plain_number(text: str) -> Decimal | None:
    """Read a number with a decimal point and no other signs; None if it is none."""
    text = text.strip()
    if len(text) > MAX_DIGITS or "_" in text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def parse_number(text: str, decimal: DecimalSign | None) -> Decimal | None:
    """Read a number as people and systems write it; None if it is none.

    Digits may be grouped; a currency's sign, parentheses around a negative amount and a minus behind it are read.

    decimal: None where the file has not shown whether 1,250 is 1250 or 1.25; that raises ValueError.
    """
    plain_number = parse_plain_number(text) if decimal != "," else None
    if plain_number is not None or len(text) > MAX_DIGITS or "_" in text:
        return plain_number
    sign, digits = _bare(text)
    if decimal is None and sign_shown_by(digits) == "either-comma":
        raise ValueError(
            f"may be {digits.replace(',', '')} or {digits.replace(',', '.')}: add --decimal . or --decimal ,"
        )
    shown_sign = sign_shown_by(digits)
    used: DecimalSign = decimal or ("," if shown_sign == "," else ".")
    plain = _without_groups(digits, used)
    return None if plain is None else Decimal(sign + plain)


def sign_shown_by(text: str) -> DecimalSign | Literal["either-comma", "either-point"] | None:
    """Which decimal sign a number shows; ``either`` where one sign stands before three digits: 1,250 or 1.250."""
    _, digits = _bare(text)
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rindex(".") > digits.rindex(",") else ","
    if not points and not commas:
        return None
    sign, other, count = (".", ",", points) if points else (",", ".", commas)
    if count > 1:
        return other  # type: ignore[return-value]
    before, after = digits.split(sign)
    if len(after) == 3 and 1 <= len(before) <= 3 and before != "0":
        return "either-point" if points else "either-comma"
    return sign  # type: ignore[return-value]


def _bare(text: str) -> tuple[str, str]:
    """The sign of a number, and its digits with what stands between them."""
    text = "".join(letter for letter in text.strip() if unicodedata.category(letter) != "Sc").strip()
    is_negative = text.startswith("(") and text.endswith(")")
    text = text[1:-1].strip() if is_negative else text
    if text[:1] in ("-", "\u2212"):
        is_negative, text = not is_negative, text[1:].strip()
    elif text[-1:] in ("-", "\u2212"):
        is_negative, text = not is_negative, text[:-1].strip()
    elif text[:1] == "+":
        text = text[1:].strip()
    return ("-" if is_negative else ""), text.translate(_SPACES)


def _without_groups(digits: str, decimal: DecimalSign) -> str | None:
    whole, _, fraction = digits.partition(decimal)
    if _GROUPED[decimal].fullmatch(digits):
        whole = "".join(letter for letter in whole if letter.isdigit())
    if not (whole or fraction) or not (whole + fraction).isdigit() or not (whole + fraction).isascii():
        return None
    return f"{whole or '0'}.{fraction}" if fraction else whole
