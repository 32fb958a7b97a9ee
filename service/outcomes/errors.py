"""What can be wrong with a request about outcomes."""

from service.base.errors import DomainError


class UnknownOutcome(DomainError):
    """No outcome has this id."""

    code = "unknown-outcome"

    def __init__(self, outcome_id: str) -> None:
        super().__init__(f"There is no outcome {outcome_id!r}. GET /v1/outcomes lists those that there are.")
