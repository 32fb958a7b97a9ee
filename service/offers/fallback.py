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
from service.offers.queries import PopularProduct, popular_products

PRODUCT_COUNT = 200


def load_fallback(session: Session) -> Content | None:
    """Return the content to answer from without an artifact, or None where there is no active product."""
    popular = popular_products(session, PRODUCT_COUNT)
    return fallback_content(popular) if popular else None


def fallback_content(popular: Sequence[PopularProduct]) -> Content:
    """Make content of products and how often they were bought, most popular first."""
    ids = in_hash_order(listed.product.product_id for listed in popular)
    row_of = {product_id: row for row, product_id in enumerate(ids)}
    by_id = {listed.product.product_id: listed for listed in popular}
    content = Content.empty({PRODUCTS: len(ids)}, report=b"{}")
    n_buyers = np.array([by_id[product_id].n_buyers for product_id in ids], dtype=np.int32)
    return replace(
        content,
        evidence=replace(content.evidence, n_buyers=n_buyers),
        products=_products([by_id[product_id].product for product_id in ids]),
        popular_products=np.array([row_of[listed.product.product_id] for listed in popular], dtype=np.int32),
        popular_scores=np.array([listed.n_orders for listed in popular], dtype=np.float32),
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
