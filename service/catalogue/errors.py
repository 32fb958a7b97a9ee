"""What can be wrong with a request about products."""

from service.base.errors import DomainError


class UnknownProduct(DomainError):
    """Nobody has named this product yet."""

    code = "unknown-product"

    def __init__(self, product_id: str) -> None:
        super().__init__(f"There is no product {product_id!r}. GET /v1/products lists those that there are.")


class UnknownRelationship(DomainError):
    """The identifier names no relationship, learned or curated."""

    code = "unknown-relationship"

    def __init__(self, relationship_id: str, hint: str = "") -> None:
        super().__init__(f"There is no relationship {relationship_id!r}. {hint}".rstrip())


class RelationshipRefused(DomainError):
    """A curated relationship contradicts the catalogue or other relationships."""

    code = "relationship-refused"
