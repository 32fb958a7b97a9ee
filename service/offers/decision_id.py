"""Identifiers of decisions: time-ordered, so that what is stored under them stays together."""

from datetime import datetime
from random import Random

_random = Random()  # noqa: S311  Seeded by the system in each process; an identifier is no secret.


def new_decision_id(now: datetime) -> str:
    """Make a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    return _uuid(now, _random.getrandbits(74))


def first_decision_id(moment: datetime) -> str:
    """Return the least identifier of a moment: those of earlier moments sort before it."""
    return _uuid(moment, 0)


def _uuid(moment: datetime, bits: int) -> str:
    milliseconds = int(moment.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    number = milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
