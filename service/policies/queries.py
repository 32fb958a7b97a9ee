"""The SQL of policies."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from models.artifact.segments import slug
from service.policies.built_in import BUILT_IN, PREFIX
from service.policies.errors import (
    BuiltInPolicy,
    PolicyAlwaysOn,
    PolicyExists,
    TooManyPolicies,
    UnknownPolicy,
)
from service.policies.schemas import CONTENT_FIELDS, PolicyIn, PolicyPatch
from service.policies.tables import PolicyVersion, StoredPolicy
from service.readmodel.policies import PolicyType
from service.storage.versions import Version, last_version, note_version

MAX_POLICIES: Final = 500
MAX_MADE_ID: Final = 60
_POLICIES: Final = StoredPolicy.__table__


@dataclass(frozen=True)
class Stored:
    """A policy as it is stored, or a built-in one. definition: see ``PolicyIn.definition``."""

    policy_id: str
    definition: Mapping[str, Any]
    version: int = 1
    created_at: datetime | None = None
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None

    @property
    def is_built_in(self) -> bool:
        """Whether it is a rule of the service itself."""
        return self.policy_id in BUILT_IN

    @property
    def is_enabled(self) -> bool:
        """Whether it is applied."""
        return bool(self.definition["is_enabled"])


def all_policies(connection: Connection) -> list[Stored]:
    """Return every policy: the built-in ones, then the others in the order of their identifiers."""
    stored = {row.policy_id: _stored(row) for row in connection.execute(select(_POLICIES))}
    built_in = [stored.pop(policy_id, _default(policy_id)) for policy_id in BUILT_IN]
    return [*built_in, *(stored[policy_id] for policy_id in sorted(stored))]


def has_limits(connection: Connection) -> bool:
    """Tell whether any policy, switched on or off, counts decisions."""
    is_limit = StoredPolicy.type == PolicyType.LIMIT
    return connection.scalar(select(StoredPolicy.policy_id).where(is_limit).limit(1)) is not None


def find_policy(connection: Connection, policy_id: str) -> Stored:
    """Return a policy; raises UnknownPolicy."""
    row = connection.execute(select(_POLICIES).where(StoredPolicy.policy_id == policy_id)).one_or_none()
    if row is not None:
        return _stored(row)
    if policy_id in BUILT_IN:
        return _default(policy_id)
    raise UnknownPolicy(policy_id)


def add_policy(connection: Connection, policy_id: str, policy: PolicyIn, by: str, now: datetime) -> Stored:
    """Store a new policy; raises PolicyExists or TooManyPolicies. Call ``take_turn`` first."""
    if connection.scalar(select(StoredPolicy.policy_id).where(StoredPolicy.policy_id == policy_id)) is not None:
        raise PolicyExists(policy_id, policy.name, is_id=True)
    _refuse_name_in_use(connection, policy_id, policy.name)
    n_stored = select(func.count()).select_from(StoredPolicy).where(~StoredPolicy.policy_id.startswith(PREFIX))
    if (connection.scalar(n_stored) or 0) >= MAX_POLICIES:
        raise TooManyPolicies(MAX_POLICIES)
    # A policy that takes the identifier of a deleted one goes on with its versions: no two have the same ETag.
    version = 1 + last_version(connection, PolicyVersion.policy_id, policy_id)
    stored = Stored(policy_id, policy.definition(), version, now, by, now, by)
    connection.execute(insert(StoredPolicy), _columns(stored))
    _note(connection, stored, None, stored.definition)
    return stored


def change_policy(
    connection: Connection, before: Stored, definition: Mapping[str, Any], by: str, now: datetime
) -> Stored:
    """Store the next version of a policy, unless nothing is different; raises PolicyExists."""
    if definition == before.definition:
        return before
    _refuse_name_in_use(connection, before.policy_id, definition["name"])
    stored = Stored(
        before.policy_id, definition, before.version + 1, before.created_at or now, before.created_by or by, now, by
    )
    is_row = StoredPolicy.policy_id == before.policy_id
    if connection.execute(update(StoredPolicy).where(is_row).values(**_columns(stored))).rowcount == 0:
        connection.execute(insert(StoredPolicy), _columns(stored))
    _note(connection, stored, before.definition, definition)
    return stored


def changed_definition(before: Stored, change: PolicyPatch) -> Mapping[str, Any]:
    """Return the definition of a policy after a change; raises BuiltInPolicy, PolicyAlwaysOn or ValidationError."""
    if not before.is_built_in:
        return PolicyIn.model_validate(change.apply(dict(before.definition))).definition()
    if change.model_fields_set - {"is_enabled"}:
        raise BuiltInPolicy(before.policy_id)
    always_on = BUILT_IN[before.policy_id][1].always_on
    if always_on and not change.is_enabled:
        raise PolicyAlwaysOn(before.policy_id, always_on)
    return {**before.definition, "is_enabled": change.is_enabled}


def is_to_be_checked(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether a change may make a policy name what does not exist: a new rule or scope, or one in use again."""
    is_same = all(before.get(name) == after.get(name) for name in ("scope", *CONTENT_FIELDS))
    return not is_same or (bool(after["is_enabled"]) and not before["is_enabled"])


def remove_policy(connection: Connection, before: Stored, by: str, now: datetime) -> None:
    """Delete a policy; its versions stay. Raises BuiltInPolicy."""
    if before.is_built_in:
        raise BuiltInPolicy(before.policy_id)
    connection.execute(delete(StoredPolicy).where(StoredPolicy.policy_id == before.policy_id))
    ended = Stored(before.policy_id, before.definition, before.version + 1, updated_at=now, updated_by=by)
    _note(connection, ended, before.definition, None)


def etag_of(stored: Stored) -> str:
    """Return the ETag of a policy: the versions of an identifier never repeat."""
    return f'"{stored.version}"'


def id_of(policy: PolicyIn) -> str:
    """Return the identifier of a policy: given, or made of its name."""
    if policy.policy_id is not None:
        return policy.policy_id
    plain = unicodedata.normalize("NFKD", policy.name).encode("ascii", "ignore").decode()
    return slug(plain)[:MAX_MADE_ID].rstrip("-") or "policy"


def _refuse_name_in_use(connection: Connection, policy_id: str, name: str) -> None:
    query = select(StoredPolicy.policy_id).where(StoredPolicy.name == name, StoredPolicy.policy_id != policy_id)
    is_built_in = any(rule.name == name and policy_id != other for other, (_, rule) in BUILT_IN.items())
    if is_built_in or connection.scalar(query) is not None:
        raise PolicyExists(policy_id, name, is_id=False)


def _default(policy_id: str) -> Stored:
    _, rule = BUILT_IN[policy_id]
    return Stored(policy_id, {"name": rule.name, "type": str(rule.type), "is_enabled": rule.is_on})


def _stored(row: Any) -> Stored:
    times = (row.created_at, row.created_by, row.updated_at, row.updated_by)
    return Stored(row.policy_id, row.definition, row.version, *times)


def _columns(stored: Stored) -> dict[str, Any]:
    return {
        "policy_id": stored.policy_id,
        "name": stored.definition["name"],
        "type": stored.definition["type"],
        "definition": dict(stored.definition),
        "version": stored.version,
        "created_at": stored.created_at,
        "created_by": stored.created_by,
        "updated_at": stored.updated_at,
        "updated_by": stored.updated_by,
    }


def _note(
    connection: Connection, stored: Stored, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    assert stored.updated_at is not None and stored.updated_by is not None  # noqa: S101, PT018  It was just changed.
    change = Version(stored.version, stored.updated_at, stored.updated_by, before, after)
    note_version(connection, PolicyVersion.policy_id, stored.policy_id, change)
