"""Identifiers of decisions: time-ordered, so that what is stored under them stays together."""

import os
from datetime import datetime


def new_decision_id(now: datetime) -> str:
    """Make a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    bits = int.from_bytes(os.urandom(10), "big") >> 6
    number = milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
