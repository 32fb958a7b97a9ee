"""Asks a new artifact for answers before any caller does."""

import numpy as np

from models.artifact import NO_ROW, Content
from service.offers.decide import decide
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.readmodel.live_state import LiveState

SAMPLE_SIZE = 16
LIMIT = 10


class SmokeTestFailure(Exception):
    """An answer came out wrong."""


def smoke_test(content: Content) -> None:
    """Answer for some accounts and baskets; raises whatever a malformed artifact breaks, or SmokeTestFailure."""
    n_accounts, n_products = len(content.account_ids), len(content.products.ids)
    if n_products == 0:
        raise SmokeTestFailure("it holds no product")
    _check_rows(content, n_products)
    state = LiveState(content, 0)
    accounts = [content.account_ids.texts[row] for row in _sample(n_accounts)]
    products = [content.products.ids.texts[row] for row in _sample(n_products)]
    for account_id in (None, *accounts):
        _check_answer(state, account_id, [])
    for product_id in products:
        _check_answer(state, None, [product_id])


def _sample(n_rows: int) -> list[int]:
    return sorted(set(np.linspace(0, n_rows - 1, SAMPLE_SIZE, dtype=np.int64).tolist())) if n_rows else []


def _check_rows(content: Content, n_products: int) -> None:
    shapes = {len(content.candidate_products), len(content.candidate_reasons), len(content.owned_offsets) - 1}
    if shapes != {len(content.account_ids)} or len(content.neighbour_products) != n_products:
        raise SmokeTestFailure("its arrays do not agree on the number of accounts or products")
    if len(content.relationships.starts) != n_products + 1:
        raise SmokeTestFailure("its relationships do not lead from its products")
    targets = content.relationships.target
    for rows in (content.candidate_products, content.neighbour_products, content.popular_products, targets):
        if rows.size and not (int(rows.min()) >= NO_ROW and int(rows.max()) < n_products):
            raise SmokeTestFailure("it names products that it does not hold")


def _check_answer(state: LiveState, account_id: str | None, basket: list[str]) -> None:
    decision = decide(gather(state, [OfferRequest(account_id, LIMIT, basket)]))
    if not all(np.isfinite(offer["score"]) for offer in decision.offers):
        raise SmokeTestFailure("it scores with numbers that are not finite")
