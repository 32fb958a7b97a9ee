"""Identifiers of decisions: time-ordered, so that what is stored under them stays together."""

import os
from datetime import datetime
from uuid import UUID


def new_decision_id(now: datetime) -> str:
    """Make a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    random = int.from_bytes(os.urandom(10), "big")
    number = milliseconds << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
    return str(UUID(int=number))
