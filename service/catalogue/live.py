"""What is kept in memory of the catalogue: products that changed since the artifact, and curated relationships."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from service.catalogue.curated import curated_from
from service.catalogue.tables import Product
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductInfo
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

PRODUCTS_CHANGED: Final = ChangeKind("products")
"""Identifiers of products."""
RELATIONSHIPS_CHANGED: Final = ChangeKind("relationships")
"""Identifiers of the products that relationships lead from."""


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read all curated relationships, and the products that changed since the artifact."""
    view = state.part(CatalogueView).with_products(product_infos(connection, changes.ids(PRODUCTS_CHANGED)))
    view = view.with_curated(curated_from(connection))
    view.relationships.prepare()
    state.replace_part(view)


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read the products and the relationships that changed."""
    view = state.part(CatalogueView)
    if product_ids := changes.ids(PRODUCTS_CHANGED):
        view = view.with_products(product_infos(connection, product_ids))
    if source_ids := changes.ids(RELATIONSHIPS_CHANGED):
        view = view.with_curated(curated_from(connection, source_ids))
        view.relationships.prepare()
    state.replace_part(view)


def product_infos(connection: Connection, product_ids: Sequence[str]) -> dict[str, ProductInfo]:
    """Read what the catalogue says of some products now."""
    columns = (
        Product.product_id, Product.name, Product.family, Product.tier, Product.price_minor, Product.currency,
        Product.is_active, Product.margin_minor,
    )  # fmt: skip
    return {
        product_id: ProductInfo(product_id, name, family or "", tier, price_minor, currency, is_active, margin_minor)
        for chunk in in_chunks(product_ids)
        for product_id, name, family, tier, price_minor, currency, is_active, margin_minor in connection.execute(
            select(*columns).where(Product.product_id.in_(chunk))
        )
    }


CATALOGUE: Final = LiveSection("catalogue", frozenset({PRODUCTS_CHANGED, RELATIONSHIPS_CHANGED}), load, refresh)
