"""A digest of all that training learns from: equal data has equal digests, and a changed fact another one."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Products, TextColumn
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions

LINE_COLUMNS = ("account", "product", "order", "time", "quantity", "amount_minor")


def fingerprint_of(interactions: Interactions, products: Products, accounts: AccountFacts) -> str:
    """Return the SHA-256 of a history in hexadecimal.

    Order lines are expected in their canonical order, and accounts and products in the order of their rows, so that
    the order in which they were read does not matter. Orders count by their lines, not by their identifiers.
    """
    digest = sha256()
    for name, array in _arrays(interactions, products, accounts):
        # Name, dtype and shape before the data: no two lists of arrays run into the same bytes.
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _arrays(
    interactions: Interactions, products: Products, accounts: AccountFacts
) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in LINE_COLUMNS:
        yield name, getattr(interactions, name)
    if interactions.is_unconverted.any():
        yield "unconverted", interactions.is_unconverted
    yield from _texts("account_ids", TextColumn.from_texts(interactions.account_ids))
    yield from products.to_arrays().items()
    yield "is_strategic", accounts.is_strategic
    for name, values in sorted(accounts.attributes.items()):
        texts = [_as_text(value) for value in values]
        if any(texts):
            yield from _texts(f"attributes.{name!r}", TextColumn.from_texts(texts))


def _texts(name: str, column: TextColumn) -> Iterator[tuple[str, NDArray[Any]]]:
    return ((f"{name}.{part}", array) for part, array in column.to_arrays().items())


def _as_text(value: object) -> str:
    """An attribute's value with its kind; empty for an unknown one. 1 and 1.0 are one number."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool | str):
        return f"{type(value).__name__} {value}"
    return f"number {float(value)!r}"  # type: ignore[arg-type]
