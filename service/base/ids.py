"""Identifiers of decisions: time-ordered, so that what is stored under them stays together."""

from datetime import datetime
from random import Random

_random = Random()  # noqa: S311  Seeded by the system in each process; an identifier is no secret.


def new_decision_id(now: datetime) -> str:
    """Make a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    return _uuid(now, _random.getrandbits(12), _random.getrandbits(62))


def first_decision_id(time: datetime) -> str:
    """Return the least identifier of a time: those of earlier decisions sort before it."""
    return _uuid(time, 0, 0)


def _uuid(time: datetime, twelve_bits: int, bits: int) -> str:
    # In parts that are single machine words: one number of 128 bits takes twice as long.
    milliseconds = int(time.timestamp() * 1000)
    return (
        f"{milliseconds >> 16 & 0xFFFF_FFFF:08x}-{milliseconds & 0xFFFF:04x}-7{twelve_bits:03x}"
        f"-{0x8000 | bits >> 48:04x}-{bits & 0xFFFF_FFFF_FFFF:012x}"
    )
