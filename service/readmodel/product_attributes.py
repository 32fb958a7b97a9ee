"""Attributes of products: what answers show of them on request, and what filters compare."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

MAX_CHANGED: Final = 256
"""Changed products that stand beside the index, which is made anew beyond that."""


class _Column(NamedTuple):
    """Values of one attribute. rows: int32 (n,), product rows; hashes: int64 (n,), of each value's text."""

    rows: NDArray[np.int32]
    hashes: NDArray[np.int64]


class ProductAttributes:
    """The attributes of n products by row. Immutable: a change makes a new one, which shares what did not change.

    The objects are kept as JSON in one piece, and are parsed when one is asked for. Filters compare 64-bit hashes.
    stored: JSON objects by row; products without attributes are left out.
    """

    def __init__(self, n_products: int, stored: Mapping[int, bytes]) -> None:
        self._n_products = n_products
        self._changed: dict[int, bytes] = {}
        pieces = [stored.get(row, b"") for row in range(n_products)] if stored else []
        self._data = b"".join(pieces)
        self._offsets = array("q", accumulate(map(len, pieces), initial=0)) if stored else array("q")
        self._columns = _index(stored)

    def with_changes(self, stored: Mapping[int, bytes]) -> "ProductAttributes":
        """Return attributes in which some products have others, or none, where the JSON is empty."""
        changed = {**self._changed, **stored}
        if len(changed) > MAX_CHANGED:
            rows = range(self._n_products)
            whole = {row: text for row in rows if (text := changed.get(row, self._text_of(row)))}
            return ProductAttributes(self._n_products, whole)
        copy = object.__new__(ProductAttributes)
        copy.__dict__.update(self.__dict__)
        copy._changed = changed
        return copy

    def of(self, row: int) -> dict[str, Any]:
        """Return the attributes of one product."""
        text = self._text_of(row) if row not in self._changed else self._changed[row]
        attributes: dict[str, Any] = orjson.loads(text) if text else {}
        return attributes

    def matching(self, name: str, values: Iterable[str | None]) -> NDArray[np.bool_]:
        """Return bool (P,): the products whose attribute has one of some values, or holds it in its list.

        values: texts as ``texts_of`` gives them; None matches products without a value.
        """
        wanted = set(values)
        matches = np.zeros(self._n_products, dtype=np.bool_)
        column = self._columns.get(name)
        if column is not None:
            hashes = np.array([hash(value) for value in wanted if value is not None], dtype=np.int64)
            matches[column.rows[np.isin(column.hashes, hashes)]] = True
        if None in wanted:
            is_unset = np.ones(self._n_products, dtype=np.bool_)
            if column is not None:
                is_unset[column.rows] = False
            matches |= is_unset
        for row in self._changed:
            matches[row] = not wanted.isdisjoint(set(texts_of(self.of(row).get(name))) or {None})
        return matches

    def _text_of(self, row: int) -> bytes:
        return self._data[self._offsets[row] : self._offsets[row + 1]] if self._data else b""


def texts_of(value: object) -> Iterator[str]:
    """Yield the texts by which a value is compared: 12, 12.0 and "12" are equal, and so are true and "true".

    A list is compared by each of its values. Objects and null are equal to nothing.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float):
        yield str(int(value)) if float(value).is_integer() else repr(value)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, list):
                yield from texts_of(item)


def _index(stored: Mapping[int, bytes]) -> dict[str, _Column]:
    columns: defaultdict[str, tuple[array[int], array[int]]] = defaultdict(lambda: (array("i"), array("q")))
    for row, text in stored.items():
        for name, value in orjson.loads(text).items():
            for compared in texts_of(value):
                rows, hashes = columns[name]
                rows.append(row)
                hashes.append(hash(compared))
    return {
        name: _Column(np.array(rows, dtype=np.int32), np.array(hashes, dtype=np.int64))
        for name, (rows, hashes) in columns.items()
    }
