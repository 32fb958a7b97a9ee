"""Identifiers and texts as flat arrays, so that a worker maps them instead of building dictionaries.

An artifact of two million accounts opens as fast as one of two thousand, and all workers share its pages.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, overload

import numpy as np
from numpy.typing import NDArray

from models.arrays import offsets_of
from models.artifact.dimensions import BYTES, TEXTS
from models.artifact.sections import Section, Shape


def hash_identifier(identifier: str) -> int:
    """Return the 64-bit BLAKE2b hash of an identifier's UTF-8 form: the sort key of every id array."""
    return int.from_bytes(blake2b(identifier.encode(), digest_size=8).digest(), "little")


def in_hash_order(identifiers: Iterable[str]) -> list[str]:
    """Sort distinct identifiers as an artifact stores them: by hash, then by text."""
    return sorted(identifiers, key=lambda identifier: (hash_identifier(identifier), identifier))


@dataclass(frozen=True, slots=True)
class TextColumn(Section, Sequence[str]):
    """Texts: ``data`` holds their UTF-8, ``offsets`` where each begins."""

    data: Annotated[NDArray[np.uint8], Shape(BYTES)]
    offsets: Annotated[NDArray[np.int64], Shape(TEXTS + 1)]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "TextColumn":
        encoded = [text.encode() for text in texts]
        lengths = np.array([len(text) for text in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets_of(lengths))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        whole = self.data.tobytes()
        bounds = self.offsets.tolist()
        return (whole[begin:end].decode() for begin, end in pairwise(bounds))


@dataclass(frozen=True, slots=True)
class IdIndex(Section):
    """Finds an identifier's row by binary search over sorted 64-bit hashes.

    texts:  the identifiers, in hash order.
    hashes: ascending.
    """

    texts: TextColumn
    hashes: Annotated[NDArray[np.uint64], Shape(TEXTS)]

    @classmethod
    def from_ids(cls, identifiers: Sequence[str]) -> "IdIndex":
        """Index identifiers that are already in hash order; raises ValueError otherwise."""
        hashes = np.array([hash_identifier(identifier) for identifier in identifiers], dtype=np.uint64)
        if np.any(hashes[1:] < hashes[:-1]):
            raise ValueError("identifiers are not in hash order")
        return cls(TextColumn.from_texts(identifiers), hashes)

    def __len__(self) -> int:
        return len(self.hashes)

    def row_of(self, identifier: str) -> int | None:
        """Return the identifier's row, or None if it is unknown."""
        wanted = np.uint64(hash_identifier(identifier))
        row = int(self.hashes.searchsorted(wanted))
        while row < len(self.hashes) and self.hashes[row] == wanted:
            if self.texts[row] == identifier:
                return row
            row += 1
        return None
