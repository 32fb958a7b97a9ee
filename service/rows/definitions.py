"""Imports of what operators define, such as policies and goals: JSON, or JSON lines, as their lists are answered."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from service.base.errors import DomainError
from service.rows.errors import UnreadableFile
from service.storage.changes import ChangeKind, ChangeLog
from service.storage.turns import hold_off_erasures, take_turn

Definition = TypeVar("Definition")
AUTHOR: Final = "import"
"""Who changed what an import changes."""


class Outcome(StrEnum):
    """What became of a definition that is valid."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Entry(NamedTuple):
    """One definition of a file. place: the number of its line, or its place in the list, from 1."""

    place: str
    value: Any


class Refusal(NamedTuple):
    """A definition that is not stored. name: its identifier or name, empty without either."""

    place: str
    name: str
    reason: str


@dataclass
class DefinitionImport:
    """What became of the definitions of a file: identifiers, and what was refused."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def note(self, identifier: str, outcome: Outcome) -> None:
        """Note what became of a definition."""
        lists: dict[str, list[str]] = vars(self)
        lists[outcome].append(identifier)


class DefinitionKind(ABC, Generic[Definition]):
    """A kind of definitions that files hold. Both methods raise DomainError, ValidationError, TypeError or ValueError.

    id_field:  the field of the identifier.
    read_only: fields of answers that nobody can set: they are left out.
    turns:     the turns that its writers take.
    changed:   the kind of change that live state follows.
    """

    id_field: ClassVar[str]
    read_only: ClassVar[Set[str]]
    turns: ClassVar[int]
    changed: ClassVar[ChangeKind]

    @abstractmethod
    def check(self, connection: Connection, given: dict[str, Any]) -> tuple[str, Definition]:
        """Return the identifier and the definition that a file gives, checked before the write transaction."""

    @abstractmethod
    def store(self, connection: Connection, identifier: str, definition: Definition, now: datetime) -> Outcome:
        """Store a definition in place of the one of its identifier. What is refused is refused before any write."""


def import_definitions(engine: Engine, path: Path, kind: DefinitionKind[Definition], now: datetime) -> DefinitionImport:
    """Store the definitions of a file, in one transaction. What is refused is left out; raises UnreadableFile.

    A definition replaces the one of its identifier, unless nothing is different.
    """
    entries, result = list(read_entries(path)), DefinitionImport()
    # Checked before the write transaction: what is stored of all accounts may be read.
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        valid = _check_all(connection, entries, kind, result)
    changes = ChangeLog()
    with engine.begin() as connection:
        hold_off_erasures(connection)
        take_turn(connection, kind.turns)
        for entry, identifier, definition in valid:
            with _refusals(entry, kind, result):
                outcome = kind.store(connection, identifier, definition, now)
                result.note(identifier, outcome)
                if outcome is not Outcome.UNCHANGED:
                    changes.touch(kind.changed, [identifier])
        changes.write(connection, now)
    return result


def _check_all(
    connection: Connection, entries: list[Entry], kind: DefinitionKind[Definition], result: DefinitionImport
) -> list[tuple[Entry, str, Definition]]:
    """Return the valid entries with their identifiers; of several with the same identifier, the first one."""
    valid: list[tuple[Entry, str, Definition]] = []
    places: dict[str, str] = {}
    for entry in entries:
        with _refusals(entry, kind, result):
            if not isinstance(entry.value, dict):
                raise TypeError(entry.value if isinstance(entry.value, str) else "must be an object")
            given = {name: part for name, part in entry.value.items() if name not in kind.read_only}
            identifier, definition = kind.check(connection, given)
            if identifier in places:
                raise ValueError(f"{kind.id_field}: {places[identifier]} has {identifier!r}, too. Keep one of them")
            places[identifier] = entry.place
            valid.append((entry, identifier, definition))
    return valid


@contextmanager
def _refusals(entry: Entry, kind: DefinitionKind[Any], result: DefinitionImport) -> Iterator[None]:
    """Note why a definition is refused."""
    try:
        yield
    except (DomainError, TypeError, ValueError) as error:
        result.refused.append(Refusal(entry.place, _name_of(entry.value, kind.id_field), _reason_of(error)))


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file: a JSON array, a page of a list, one object, or an object on each line."""
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from error
    try:
        whole = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if content.lstrip().startswith(b"["):
            raise UnreadableFile(path, f"is not JSON: {error}") from error
        yield from _read_lines(content)
        return
    if isinstance(whole, dict):
        whole = whole["items"] if isinstance(whole.get("items"), list) else [whole]
    if not isinstance(whole, list):
        raise UnreadableFile(path, "holds neither a JSON array nor a JSON object on each line")
    yield from (Entry(f"entry {number}", value) for number, value in enumerate(whole, 1))


def _read_lines(content: bytes) -> Iterator[Entry]:
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                yield Entry(f"line {number}", orjson.loads(line))
            except orjson.JSONDecodeError as error:
                yield Entry(f"line {number}", f"is not JSON: {error}")


def _name_of(value: Any, id_field: str) -> str:
    names = (value.get(id_field), value.get("name")) if isinstance(value, dict) else ()
    return next((name for name in names if isinstance(name, str)), "")


def _reason_of(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    details: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"]))) for each in details)
