"""What can be wrong with a request about products."""

from service.errors import DomainError


class UnknownProduct(DomainError):
    """Nobody has named this product yet."""

    code = "unknown-product"

    def __init__(self, product_id: str) -> None:
        super().__init__(f"There is no product {product_id!r}.")


class InvalidCursor(DomainError):
    """A page was asked for with a cursor that no page gave."""

    code = "invalid-cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not one that this service gave. Start again without it.")
