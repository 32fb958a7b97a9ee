"""Reads how often a key may ask."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem


def parse_limit(text: str | None) -> "RateLimitItem | None":
    """Read a limit such as ``100/second`` or ``5000 per 10 minutes``; raises ValueError."""
    if not text:
        return None
    # It brings all of its storages along, which the commands do not need.
    from limits import parse

    return parse(text)
