"""Three-valued logic (Kleene's strong one): a comparison with what is not known is neither true nor false.

Values are 0, 1 and 2, so that *and* is the minimum, *or* the maximum, and *not* the difference to 2, of numbers as
well as of arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal

import numpy as np

from service.readmodel.rule_evaluation import iso_time, kind_of_value
from service.readmodel.rule_grammar import ORDERED, Condition

FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2
N_VALUES: Final = 3


@dataclass(frozen=True)
class Node:
    """A combination of conditions, or of what stands in for them."""

    operator: Literal["all", "any", "not"]
    parts: tuple[Any, ...]


def evaluate(node: Any, value_of: Callable[[Any], Any]) -> Any:
    """Return the value of a combination: an integer, or int8 (n,). value_of: returns the value of what is none."""
    if not isinstance(node, Node):
        return value_of(node)
    values = [evaluate(part, value_of) for part in node.parts]
    if node.operator == "not":
        return TRUE - values[0]
    return reduce(np.minimum if node.operator == "all" else np.maximum, values)


def compare(condition: Condition, value: object) -> int:
    """Return the value of a comparison; of a list, one item must match.

    Values of different types can't be compared, nor can a date with a text that is none: the result is unknown.
    """
    if condition.op == "is_known":
        return FALSE if value is None else TRUE
    if value is None:
        return UNKNOWN
    if condition.op in ORDERED:
        return _compare_order(condition.op, value, condition.value)
    is_equal = _compare_any(value, condition.operands())
    return TRUE - is_equal if condition.op in ("ne", "not_in") else is_equal


def _compare_any(value: object, operands: list[Any]) -> int:
    items = value if isinstance(value, list) else [value]
    results = [_compare_equal(item, operand) for item in items for operand in operands]
    if TRUE in results:
        return TRUE
    # A list is comparable if any of its items is: an empty one holds nothing.
    return FALSE if FALSE in results or not items else UNKNOWN


def _compare_equal(value: object, operand: object) -> int:
    kind = kind_of_value(value)
    if kind is None or kind != kind_of_value(operand):
        return UNKNOWN
    return TRUE if value == operand else FALSE


def _compare_order(op: str, value: Any, operand: Any) -> int:
    limit = iso_time(operand)
    if limit is not None:
        value, operand = iso_time(value), limit
        if value is None:
            return UNKNOWN
    elif kind_of_value(value) is None or kind_of_value(value) != kind_of_value(operand):
        return UNKNOWN
    return TRUE if ORDERED[op](value, operand) else FALSE
