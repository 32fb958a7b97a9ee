"""Small artifact contents for tests."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.artifact import (
    NO_NUMBER,
    NO_ROW,
    Content,
    IdIndex,
    Products,
    Repurchases,
    TextColumn,
    in_hash_order,
)
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, OWNED, PRODUCTS
from tests.artifacts import IN_EUROS

N_PRODUCTS = 5


def make_content(
    owned: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[int]],
    scores: Sequence[Sequence[float]],
    owned_scores: Sequence[float] = (),
    inactive: Sequence[int] = (),
) -> Content:
    """A content of five products, product 0 the most popular, and one account per entry of ``owned``."""
    account_ids = in_hash_order(f"account-{row}" for row in range(len(owned)))
    product_ids = in_hash_order(f"product-{row}" for row in range(N_PRODUCTS))
    flat = [product for products in owned for product in products]
    sizes = {ACCOUNTS: len(account_ids), PRODUCTS: N_PRODUCTS, CANDIDATES: np.shape(candidates)[1]}
    return replace(
        Content.empty(sizes, report=json.dumps({"currency": IN_EUROS}).encode()),
        account_ids=IdIndex.from_ids(account_ids),
        products=Products(
            ids=IdIndex.from_ids(product_ids),
            names=TextColumn.from_texts(f"Name of {product}" for product in product_ids),
            lines=TextColumn.from_texts([""] * N_PRODUCTS),
            categories=TextColumn.from_texts([""] * N_PRODUCTS),
            families=TextColumn.from_texts([""] * N_PRODUCTS),
            currencies=TextColumn.from_texts(["EUR"] * N_PRODUCTS),
            tiers=np.full(N_PRODUCTS, NO_NUMBER),
            prices_minor=np.arange(N_PRODUCTS) * 100,
            margins_minor=np.full(N_PRODUCTS, NO_NUMBER),
            is_active=~np.isin(np.arange(N_PRODUCTS), inactive),
            is_merchandise=np.ones(N_PRODUCTS, dtype=np.bool_),
            parents=TextColumn.from_texts([""] * N_PRODUCTS),
            replaced=TextColumn.from_texts([""] * N_PRODUCTS),
        ),
        popular_products=np.arange(N_PRODUCTS, dtype=np.int32),
        popular_scores=np.linspace(1, 0, N_PRODUCTS, dtype=np.float32),
        owned_offsets=np.cumsum([0, *map(len, owned)]),
        owned_products=np.array(flat, dtype=np.int32),
        owned_scores=np.array(owned_scores or [0] * len(flat), dtype=np.float32),
        repurchases=Repurchases.empty({OWNED: len(flat), PRODUCTS: N_PRODUCTS}),
        candidate_products=np.array(candidates, dtype=np.int32),
        candidate_scores=np.array(scores, dtype=np.float32),
        candidate_reasons=np.full((len(owned), 1, 2), NO_ROW, dtype=np.int32),
        neighbour_products=np.full((N_PRODUCTS, 1), NO_ROW, dtype=np.int32),
        neighbour_scores=np.zeros((N_PRODUCTS, 1), dtype=np.float32),
    )
