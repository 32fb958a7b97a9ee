"""What can be wrong with an idempotency key."""

from service.base.errors import DomainError


class IdempotencyKeyReused(DomainError):
    """The key was used before, for a request that was not the same."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request. Use a new one for each write.")
