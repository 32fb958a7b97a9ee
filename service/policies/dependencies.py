"""What routes need to judge policies by."""

from fastapi import Request
from sqlalchemy import Connection

from service.base.components import components_of
from service.base.settings import Settings
from service.policies.checks import PolicyChecks
from service.readmodel.live_state import LiveState
from service.sync.artifact_holder import ArtifactHolder


def checks_of(request: Request, connection: Connection) -> PolicyChecks:
    """Return checks against what there is now."""
    kept_days = components_of(request.app).get(Settings).decision_retention_days
    return PolicyChecks(connection, state_in_use(request), kept_days)


def state_in_use(request: Request) -> LiveState | None:
    """Return what is in memory; None while there is no artifact."""
    current = components_of(request.app).get(ArtifactHolder).current
    return None if current is None or current.is_fallback else current.state
