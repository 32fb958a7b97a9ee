"""Columns of JSON values in which each distinct value stands once, so that a rule is evaluated once for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.readmodel.kleene import compare
from service.readmodel.rule_grammar import Condition


@dataclass(frozen=True)
class FactorColumn:
    """Values of n rows. codes: int32 (n,), places in ``values``, of which the first is None."""

    codes: NDArray[np.int32]
    values: list[Any]

    @classmethod
    def from_values(cls, n: int, items: Iterable[tuple[int, Any]]) -> "FactorColumn":
        """Make a column of n rows. items: rows with their values; those of the others are None."""
        codes, values = np.zeros(n, dtype=np.int32), [None]
        numbers: dict[bytes, int] = {}
        for row, value in items:
            if value is not None:
                number = numbers.setdefault(orjson.dumps(value), len(values))
                if number == len(values):
                    values.append(value)
                codes[row] = number
        return cls(codes, values)

    def compare(self, condition: Condition) -> NDArray[np.int8]:
        """Return the value of a condition for each row: int8 (n,)."""
        return np.array([compare(condition, value) for value in self.values], dtype=np.int8)[self.codes]
