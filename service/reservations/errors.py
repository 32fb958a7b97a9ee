"""What can be wrong with a request about reservations."""

from service.base.errors import DomainError


class UnknownReservation(DomainError):
    """The decision reserved nothing, or not this product."""

    code = "unknown-reservation"

    def __init__(self, decision_id: str, product_id: str | None = None) -> None:
        what = "nothing" if product_id is None else f"no {product_id!r}"
        super().__init__(
            f"The decision {decision_id!r} has reserved {what}; or it was released, or expired more than a day ago. "
            "GET /v1/reservations lists what is reserved."
        )


class CapReached(DomainError):
    """A reservation expired, and others have taken what was left."""

    code = "cap-reached"

    def __init__(self, product_id: str, policy_id: str) -> None:
        super().__init__(
            f"The reservation of {product_id!r} has expired, and nothing is left within the policy {policy_id!r}. "
            "Nothing was accepted."
        )
