"""What an import remembers of all files of one command."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from service.rows.duplicate_index import DuplicateIndex, hash_keys

Part = TypeVar("Part")


class ImportMemory:
    """Holds one object for each class that asks for one: a domain keeps there what it must know of earlier files."""

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[Part]) -> Part:
        """The object of this class, made when it is first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        part: Part = self._parts[kind]
        return part

    def close(self) -> None:
        """Close the parts that hold something open."""
        for part in self._parts.values():
            if hasattr(part, "close"):
                part.close()


class DryRunTransaction:
    """A transaction of all files of a dry run, for files that refer to what those before them hold."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def connection(self, engine: Engine) -> Connection:
        """The connection in its transaction, which begins when it is first asked for."""
        if self._connection is None:
            self._connection = engine.connect()
            self._connection.begin()
        return self._connection

    def close(self) -> None:
        """Roll the transaction back."""
        if self._connection is not None:
            self._connection.close()


class PresentIds:
    """Identifiers that files hold, in 12 bytes each.

    n_unknown: rows whose identifier could not be read, so that nobody can tell what is missing.
    """

    def __init__(self) -> None:
        self._index: Final = DuplicateIndex(np.uint32)
        self.n_unknown = 0

    def add(self, ids: set[str]) -> None:
        """Note identifiers."""
        self._index.add(hash_keys(ids), np.ones(len(ids), dtype=np.uint32))

    def is_missing(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Whether no file holds an identifier; shape (n_ids,)."""
        is_missing: NDArray[np.bool_] = self._index.look_up(hash_keys(ids)) == 0
        return is_missing

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of some identifiers that no file holds."""
        return [ids[index] for index in np.flatnonzero(self.is_missing(ids)).tolist()]
