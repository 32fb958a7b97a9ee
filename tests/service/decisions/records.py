"""Decisions as a worker records them, without offers."""

from datetime import datetime
from functools import cache

from service.offers.respond import Recorded
from service.readmodel.product_index import ProductIndex
from tests.artifacts import coffee_world, content_of


@cache
def products() -> ProductIndex:
    """Products that there are."""
    return ProductIndex(content_of(coffee_world()))


def recorded(
    decision_id: str,
    account_id: str | None,
    decided_at: datetime,
    key_id: str | None = None,
    request: bytes = b"{}",
    answer: bytes = b"{}",
) -> Recorded:
    """Return a decision that offered nothing."""
    return Recorded(decision_id, account_id, decided_at, key_id, None, None, request, answer, (), products())
