"""Describes policies as callers read them."""

from typing import Any

from service.policies.built_in import BUILT_IN, description_of
from service.policies.queries import Stored
from service.policies.schemas import CONTENT_FIELDS

OPTIONAL = ("description", "valid_from", "valid_until", "scope", *CONTENT_FIELDS)


def describe_policy(stored: Stored) -> dict[str, Any]:
    """Return a ``PolicyOut``."""
    is_built_in, definition = stored.is_built_in, stored.definition
    described = {name: definition.get(name) for name in OPTIONAL}
    if is_built_in:
        described["description"] = description_of(stored.policy_id)
    return {
        "policy_id": stored.policy_id,
        "name": definition["name"],
        "type": definition["type"],
        "is_enabled": stored.is_enabled,
        "is_built_in": is_built_in,
        "can_be_switched_off": not (is_built_in and BUILT_IN[stored.policy_id][1].always_on),
        **described,
        "version": stored.version,
        "created_at": stored.created_at,
        "created_by": stored.created_by,
        "updated_at": stored.updated_at,
        "updated_by": stored.updated_by,
    }


def describe_version(row: Any) -> dict[str, Any]:
    """Return a ``PolicyVersionOut``. row: of ``PolicyVersion``."""
    change = "created" if row.before is None else "deleted" if row.after is None else "updated"
    return {
        "version": row.version,
        "change": change,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
        "before": row.before,
        "after": row.after,
    }
