"""Errors of orders."""

from service.base.errors import DomainError


class UnknownOrder(DomainError):
    """No order has this identifier."""

    code = "unknown-order"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id!r}. GET /v1/orders lists those that there are.")
