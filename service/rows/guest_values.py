"""Values that systems write in the place of a customer's identifier for guests."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

DEFAULT_GUEST_VALUES: Final = (
    "0", "0.0", "-", "--", ".", "?", "n/a", "#n/a", "na", "n.a.", "<na>", "nan", "none", "(none)", "null", "(null)",
    "[null]", "<null>", "\\n", "nil", "empty", "(empty)", "blank", "(blank)", "unknown", "(unknown)", "undefined",
    "not set", "(not set)", "not available", "not applicable", "no account", "anonymous", "guest", "guest account",
    "guest checkout", "guest customer", "guest user",
)  # fmt: skip
_ZEROS: Final = re.compile(r"0[0-]*")
"""Also those of a UUID: 00000000-0000-0000-0000-000000000000."""


class GuestValues:
    """Tells placeholders from identifiers, whatever their case. "0" stands for any number of zeros."""

    def __init__(self, values: Iterable[str] = DEFAULT_GUEST_VALUES) -> None:
        self._values = frozenset(value.strip().casefold() for value in values)

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, str):
            return False
        plain = value.strip().casefold()
        return plain in self._values or ("0" in self._values and bool(_ZEROS.fullmatch(plain)))

    def placeholder_error(self, value: object, hint: str) -> str | None:
        """What is wrong with an identifier of an account, if it is a placeholder."""
        if value not in self:
            return None
        return (
            f"is {value!r}, which stands for a guest and identifies no account: leave it out, or accept it with {hint}"
        )


def parse_guest_values(text: str | None, *, is_kept: bool = False) -> Sequence[str]:
    """Parse a comma-separated list in place of the default one; entries that begin with + are added to that.

    is_kept: whether all values are identifiers.
    """
    if is_kept:
        return ()
    if text is None:
        return DEFAULT_GUEST_VALUES
    values = [value.strip() for value in text.split(",") if value.strip()]
    added = [value[1:] for value in values if value.startswith("+")]
    replaced = [value for value in values if not value.startswith("+")]
    return (*(replaced if replaced or not added else DEFAULT_GUEST_VALUES), *added)
