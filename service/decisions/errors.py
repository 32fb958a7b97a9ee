"""What can be wrong with a request about decisions."""

from service.base.errors import DomainError


class UnknownDecision(DomainError):
    """No decision of that identifier is in the decision log."""

    code = "unknown-decision"

    def __init__(self, decision_id: str) -> None:
        super().__init__(f"There is no decision {decision_id!r}; it may be too old to be kept, or was a dry run.")
