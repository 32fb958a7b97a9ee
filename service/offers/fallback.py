"""Without an artifact, answers come from this: an artifact's content that knows popular products and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from models.artifact import (
    NO_NUMBER,
    Content,
    IdIndex,
    Products,
    TextColumn,
    in_hash_order,
)
from models.artifact.dimensions import PRODUCTS
from service.catalogue.tables import Product
from service.offers.queries import popular_products

PRODUCT_COUNT = 200


def load_fallback(session: Session) -> Content | None:
    """Return the content to answer from without an artifact, or None where there is no active product."""
    popular = popular_products(session, PRODUCT_COUNT)
    return fallback_content(popular) if popular else None


def fallback_content(popular: Sequence[tuple[Product, int]]) -> Content:
    """Make content of products and their numbers of orders, most popular first."""
    ids = in_hash_order(product.product_id for product, _ in popular)
    row_of = {product_id: row for row, product_id in enumerate(ids)}
    by_id = {product.product_id: product for product, _ in popular}
    return replace(
        Content.empty({PRODUCTS: len(ids)}, report=b"{}"),
        products=_products([by_id[product_id] for product_id in ids]),
        popular_products=np.array([row_of[product.product_id] for product, _ in popular], dtype=np.int32),
        popular_scores=np.array([n_orders for _, n_orders in popular], dtype=np.float32),
    )


def _products(products: Sequence[Product]) -> Products:
    def numbers(values: Sequence[int | None]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.array([NO_NUMBER if value is None else value for value in values], dtype=np.int64)

    return Products(
        ids=IdIndex.from_ids([product.product_id for product in products]),
        names=TextColumn.from_texts(product.name for product in products),
        lines=TextColumn.from_texts(product.line or "" for product in products),
        categories=TextColumn.from_texts(product.category or "" for product in products),
        families=TextColumn.from_texts(product.family or "" for product in products),
        currencies=TextColumn.from_texts(product.currency or "" for product in products),
        tiers=numbers([product.tier for product in products]),
        prices_minor=numbers([product.price_minor for product in products]),
        margins_minor=numbers([product.margin_minor for product in products]),
        is_active=np.array([product.is_active for product in products], dtype=np.bool_),
        is_merchandise=np.array([product.is_merchandise for product in products], dtype=np.bool_),
        parents=TextColumn.from_texts(product.parent_product_id or "" for product in products),
        replaced=TextColumn.from_texts(product.replaces or "" for product in products),
    )
