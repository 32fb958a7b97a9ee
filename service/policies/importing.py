"""Import policies from a file, as ``GET /v1/policies`` gives them: JSON, or JSON lines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from service.base.errors import DomainError
from service.policies.built_in import BUILT_IN
from service.policies.checks import PolicyChecks
from service.policies.errors import UnknownPolicy
from service.policies.live import POLICIES_CHANGED
from service.policies.queries import (
    add_policy,
    change_policy,
    changed_definition,
    find_policy,
    id_of,
    is_to_be_checked,
)
from service.policies.schemas import PolicyIn, PolicyOut, PolicyPatch
from service.readmodel.live_state import LiveState
from service.rows.errors import UnreadableFile
from service.storage.changes import ChangeLog
from service.storage.turns import POLICY_TURNS, hold_off_erasures, take_turn

AUTHOR: Final = "import"
READ_ONLY: Final = set(PolicyOut.model_fields) - set(PolicyIn.model_fields)
"""What answers show of a policy and nobody can set: passed over."""


class Entry(NamedTuple):
    """One policy of a file. place: the number of its line, or its place in the list, from 1."""

    place: str
    value: Any


@dataclass
class PolicyImport:
    """What became of the policies of a file. refused: the place and the identifier of each, and the reason."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)


def import_policies(
    engine: Engine, path: Path, state: LiveState | None, now: datetime, kept_days: float
) -> PolicyImport:
    """Store the policies of a file, in one transaction. What is refused is left out; raises UnreadableFile.

    A policy replaces the one of its identifier, unless nothing is different. state, kept_days: see ``PolicyChecks``.
    """
    entries, result = list(read_entries(path)), PolicyImport()
    # Checked before the write transaction: what is stored of all accounts may be read.
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        checks = PolicyChecks(connection, state, kept_days)
        valid = [each for entry in entries if (each := _checked(entry, connection, checks, result)) is not None]
    changes = ChangeLog()
    with engine.begin() as connection:
        hold_off_erasures(connection)
        take_turn(connection, POLICY_TURNS)
        for entry, given in valid:
            with _refused(entry, result):
                policy_id, outcome = _store(connection, given, now)
                _note(result, policy_id, outcome)
                if outcome != "unchanged":
                    changes.touch(POLICIES_CHANGED, [policy_id])
        changes.write(connection, now)
    return result


@contextmanager
def _refused(entry: Entry, result: PolicyImport) -> Iterator[None]:
    """Note why a policy is refused."""
    try:
        yield
    except (DomainError, ValidationError, TypeError) as error:
        result.refused.append((entry.place, _name_of(entry.value), _reason_of(error)))


def _note(result: PolicyImport, policy_id: str, outcome: str) -> None:
    lists: dict[str, list[str]] = vars(result)
    lists[outcome].append(policy_id)


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the policies of a file: a JSON array, a page of a list, one object, or an object on each line."""
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


Given = PolicyIn | dict[str, Any]
"""A policy; or what a file has of a built-in one."""


def _checked(
    entry: Entry, connection: Connection, checks: PolicyChecks, result: PolicyImport
) -> tuple[Entry, Given] | None:
    """Return a policy of a file; None where it is refused."""
    with _refused(entry, result):
        if not isinstance(entry.value, dict):
            raise TypeError(entry.value if isinstance(entry.value, str) else "must be an object")
        given = {name: part for name, part in entry.value.items() if name not in READ_ONLY}
        if given.get("policy_id") in BUILT_IN:
            return entry, given
        policy = PolicyIn.model_validate(given)
        before = _stored_definition(connection, policy)
        if before is None or is_to_be_checked(before, policy.definition()):
            checks.check(policy)
        return entry, policy
    return None


def _stored_definition(connection: Connection, policy: PolicyIn) -> Mapping[str, Any] | None:
    try:
        return find_policy(connection, id_of(policy)).definition
    except UnknownPolicy:
        return None


def _store(connection: Connection, given: Given, now: datetime) -> tuple[str, str]:
    """Store one policy, and return its identifier and what became of it. What is refused is refused before."""
    if isinstance(given, dict):
        return _switch(connection, given, now)
    policy_id = id_of(given)
    try:
        before = find_policy(connection, policy_id)
    except UnknownPolicy:
        add_policy(connection, policy_id, given, AUTHOR, now)
        return policy_id, "created"
    stored = change_policy(connection, before, given.definition(), AUTHOR, now)
    return policy_id, "unchanged" if stored is before else "updated"


def _switch(connection: Connection, given: dict[str, Any], now: datetime) -> tuple[str, str]:
    """Switch a built-in policy on or off: nothing else of it can be imported."""
    change = PolicyPatch.model_validate({"is_enabled": given.get("is_enabled", True)})
    before = find_policy(connection, given["policy_id"])
    stored = change_policy(connection, before, changed_definition(before, change), AUTHOR, now)
    return before.policy_id, "unchanged" if stored is before else "updated"


def _name_of(value: Any) -> str:
    names = (value.get("policy_id"), value.get("name")) if isinstance(value, dict) else ()
    return next((name for name in names if isinstance(name, str)), "")


def _reason_of(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    details: Sequence[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"]))) for each in details)
