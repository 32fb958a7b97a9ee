"""Evaluates a rule on the profiles of accounts.

Pure: no database, no HTTP, and no clock.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from service.readmodel.rule_grammar import (
    FIELDS,
    ORDERED,
    AllRule,
    AnyRule,
    AttributeRule,
    FieldRule,
    NotRule,
    OwnsRule,
)

_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Columns(Protocol):
    """Profiles of n accounts, column by column."""

    @property
    def n(self) -> int:
        """How many accounts."""

    def field(self, name: str) -> NDArray[Any]:
        """Return a field, shape (n,): float64 with NaN for unknown, objects with "" for unknown texts, or bool."""

    def attribute(self, key: str) -> Sequence[object]:
        """Return what is stored under a key of each account's attributes; None where nothing is."""

    def owns(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return bool (n,): who owns any of the named products, lines or categories (the kind, in the plural)."""


def matches(rule: Any, columns: Columns) -> NDArray[np.bool_]:
    """Return bool (n,): the accounts that match a rule.

    A comparison with an unknown value is false, so its ``not`` is true: ``is_known`` tells the two apart. A number is
    compared with numbers, a text with texts, and nothing else ever matches; only dates are before or after a date.
    """
    match rule:
        case AllRule():
            return _fold(np.logical_and, [matches(part, columns) for part in rule.all])
        case AnyRule():
            return _fold(np.logical_or, [matches(part, columns) for part in rule.any])
        case NotRule():
            return ~matches(rule.not_, columns)
        case OwnsRule():
            kind = rule.owns.kind
            return columns.owns(kind, getattr(rule.owns, kind))
        case FieldRule():
            return _compare_field(rule, columns)
    return np.array([_holds(rule, value) for value in columns.attribute(rule.attribute)], dtype=np.bool_)


def _fold(combine: Callable[..., Any], masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    folded = masks[0]
    for mask in masks[1:]:
        folded = combine(folded, mask)
    return folded


def _compare_field(rule: FieldRule, columns: Columns) -> NDArray[np.bool_]:
    values, kind = columns.field(rule.field), FIELDS[rule.field].kind
    if kind == "number":
        is_known = ~np.isnan(values)
    else:
        is_known = values != "" if kind == "text" else np.ones(columns.n, dtype=np.bool_)
    is_known = np.asarray(is_known, dtype=np.bool_)
    if rule.op == "is_known":
        return is_known
    if rule.op in ORDERED:
        return np.asarray(ORDERED[rule.op](values, rule.value) & is_known)
    is_equal = np.isin(values, np.array(rule.operands(), dtype=values.dtype))
    return np.asarray((~is_equal if rule.op in ("ne", "not_in") else is_equal) & is_known)


def _holds(rule: AttributeRule, value: object) -> bool:
    if value is None or rule.op == "is_known":
        return value is not None
    if rule.op in ORDERED:
        return _is_in_order(rule.op, value, rule.value)
    is_equal = any(_are_comparable(value, operand) and value == operand for operand in rule.operands())
    return not is_equal if rule.op in ("ne", "not_in") else is_equal


def _is_in_order(op: str, value: Any, operand: Any) -> bool:
    limit = iso_time(operand)
    if limit is not None:  # dates are texts in JSON; only dates are before or after one
        time = iso_time(value)
        return time is not None and bool(ORDERED[op](time, limit))
    return _are_comparable(value, operand) and bool(ORDERED[op](value, operand))


def iso_time(value: object) -> datetime | None:
    """The time that a text holds, such as 2024-01-31 or 2024-01-31T09:30:00Z, in UTC unless it names an offset."""
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _are_comparable(value: object, operand: object) -> bool:
    """Tell whether two values can be compared: true is no 1, and "1" is not 1."""
    return kind_of_value(value) is not None and kind_of_value(value) == kind_of_value(operand)


def kind_of_value(value: object) -> str | None:
    """The type of a value of JSON: flag, number or text; None for any other."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None
