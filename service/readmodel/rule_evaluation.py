"""Which accounts a rule is true of.

Pure: no database, no HTTP, and no clock.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

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


class Columns(Protocol):
    """Profiles of n accounts, column by column."""

    @property
    def n(self) -> int:
        """How many accounts."""

    def field(self, name: str) -> NDArray[Any]:
        """Shape (n,): numbers as float64 with NaN for unknown, texts as objects with "" for unknown, flags as bool."""

    def attribute(self, key: str) -> Sequence[object]:
        """What is stored under a key of each account's attributes; None where nothing is."""

    def owns(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        """Bool (n,): who owns one of some products, lines or categories (the kind, in the plural)."""


def matches(rule: Any, columns: Columns) -> NDArray[np.bool_]:
    """Tell which accounts a rule is true of, bool (n,).

    A comparison with what is not known is false, so that its ``not`` is true: ``is_known`` tells the two apart. A
    number is compared with numbers, a text with texts, and nothing else ever matches.
    """
    match rule:
        case AllRule():
            return _fold(np.logical_and, [matches(one, columns) for one in rule.all])
        case AnyRule():
            return _fold(np.logical_or, [matches(one, columns) for one in rule.any])
        case NotRule():
            return ~matches(rule.not_, columns)
        case OwnsRule():
            kind = rule.owns.kind
            return columns.owns(kind, getattr(rule.owns, kind))
        case FieldRule():
            return _compare_field(rule, columns)
    return np.array([_holds(rule, value) for value in columns.attribute(rule.attribute)], dtype=np.bool_)


def _fold(combine: Callable[..., Any], found: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    folded = found[0]
    for one in found[1:]:
        folded = combine(folded, one)
    return folded


def _compare_field(rule: FieldRule, columns: Columns) -> NDArray[np.bool_]:
    found, kind = columns.field(rule.field), FIELDS[rule.field].kind
    if kind == "number":
        is_known = ~np.isnan(found)
    else:
        is_known = found != "" if kind == "text" else np.ones(columns.n, dtype=np.bool_)
    is_known = np.asarray(is_known, dtype=np.bool_)
    if rule.op == "is_known":
        return is_known
    if rule.op in ORDERED:
        return np.asarray(ORDERED[rule.op](found, rule.value) & is_known)
    is_one = np.isin(found, np.array(rule.asked(), dtype=found.dtype))
    return np.asarray((~is_one if rule.op in ("ne", "not_in") else is_one) & is_known)


def _holds(rule: AttributeRule, value: object) -> bool:
    if value is None or rule.op == "is_known":
        return value is not None
    if rule.op in ORDERED:
        return _are_alike(value, rule.value) and bool(ORDERED[rule.op](value, rule.value))
    is_one = any(_are_alike(value, one) and value == one for one in rule.asked())
    return not is_one if rule.op in ("ne", "not_in") else is_one


def _are_alike(one: object, other: object) -> bool:
    """Tell whether two values can be compared: true is no 1, and "1" is not 1."""
    return _sort_of(one) is not None and _sort_of(one) == _sort_of(other)


def _sort_of(value: object) -> str | None:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None
