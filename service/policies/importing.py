"""Import policies from a file, as ``GET /v1/policies`` gives them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

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
from service.rows.definitions import AUTHOR, DefinitionKind, Outcome
from service.storage.turns import POLICY_TURNS

Given = PolicyIn | PolicyPatch
"""A policy; or what changes of a built-in one."""


class PolicyFiles(DefinitionKind[Given]):
    """See ``DefinitionKind``. state, kept_days: see ``PolicyChecks``."""

    id_field = "policy_id"
    read_only = PolicyOut.model_fields.keys() - PolicyIn.model_fields.keys()
    turns = POLICY_TURNS
    changed = POLICIES_CHANGED

    def __init__(self, state: LiveState | None, kept_days: float) -> None:
        self._state = state
        self._kept_days = kept_days
        self._checks: PolicyChecks | None = None

    def check(self, connection: Connection, given: dict[str, Any]) -> tuple[str, Given]:
        """Check a policy as it is checked over HTTP. Of a built-in one ``is_enabled`` alone counts."""
        policy_id = given.get("policy_id")
        if isinstance(policy_id, str) and policy_id in BUILT_IN:
            return policy_id, PolicyPatch.model_validate({"is_enabled": given.get("is_enabled", True)})
        policy = PolicyIn.model_validate(given)
        before = _stored_definition(connection, policy)
        if before is None or is_to_be_checked(before, policy.definition()):
            if self._checks is None:
                self._checks = PolicyChecks(connection, self._state, self._kept_days)
            self._checks.check(policy)
        return id_of(policy), policy

    def store(self, connection: Connection, policy_id: str, given: Given, now: datetime) -> Outcome:
        """Store a policy, or switch a built-in one on or off."""
        try:
            before = find_policy(connection, policy_id)
        except UnknownPolicy:
            assert isinstance(given, PolicyIn)  # noqa: S101  Built-in policies are never unknown.
            add_policy(connection, policy_id, given, AUTHOR, now)
            return Outcome.CREATED
        definition = given.definition() if isinstance(given, PolicyIn) else changed_definition(before, given)
        stored = change_policy(connection, before, definition, AUTHOR, now)
        return Outcome.UNCHANGED if stored is before else Outcome.UPDATED


def _stored_definition(connection: Connection, policy: PolicyIn) -> Mapping[str, Any] | None:
    try:
        return find_policy(connection, id_of(policy)).definition
    except UnknownPolicy:
        return None
