"""Digits of currencies' minor units (ISO 4217): what training and the service convert amounts with."""

from typing import Final

USUAL_DIGITS: Final = 2

_OTHER_DIGITS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def minor_digits(currency: str | None) -> int:
    """How many decimal digits the currency's major unit has."""
    return _OTHER_DIGITS.get(currency, USUAL_DIGITS) if currency else USUAL_DIGITS
