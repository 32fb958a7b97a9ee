"""What is kept in memory of the catalogue: products that changed since the artifact, and curated relationships."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Text, cast, or_, select

from models.artifact.variants import ProductLinks
from service.catalogue.curated import curated_from
from service.catalogue.tables import Product
from service.readmodel.availability import ALWAYS, Availability, ProductAvailability
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductInfo, ProductRow
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

PRODUCTS_CHANGED: Final = ChangeKind("products")
"""Identifiers of products."""
RELATIONSHIPS_CHANGED: Final = ChangeKind("relationships")
"""Identifiers of the products that relationships lead from."""


ATTRIBUTES_BY_KEY: Final = 1_000
"""Products up to which the attributes of an artifact's products are read by their keys, and of all products beyond."""
_NO_ATTRIBUTES: Final = "{}"


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read all curated relationships and attributes, and the products that changed since the artifact."""
    view = state.part(CatalogueView).with_products(product_infos(connection, changes.ids(PRODUCTS_CHANGED)))
    product_ids = view.products.content.products.ids.texts
    some_ids = list(product_ids) if len(product_ids) <= ATTRIBUTES_BY_KEY else None
    view = view.with_all_attributes(product_attributes(connection, some_ids)).with_curated(curated_from(connection))
    view.prepare()
    state.replace_part(view)
    state.replace_part(state.part(Availability).with_changes(_by_row(view, bounded_products(connection))))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read the products and the relationships that changed."""
    view = state.part(CatalogueView)
    if product_ids := changes.ids(PRODUCTS_CHANGED):
        view = view.with_products(product_infos(connection, product_ids))
        view = view.with_attributes(dict.fromkeys(product_ids, b"") | product_attributes(connection, product_ids))
        bounded = dict.fromkeys(product_ids, ALWAYS) | bounded_products(connection, product_ids)
        state.replace_part(state.part(Availability).with_changes(_by_row(view, bounded)))
    if source_ids := changes.ids(RELATIONSHIPS_CHANGED):
        view = view.with_curated(curated_from(connection, source_ids))
    view.prepare()
    state.replace_part(view)


def product_infos(connection: Connection, product_ids: Sequence[str]) -> dict[str, ProductInfo]:
    """Read what the catalogue says of some products now."""
    columns = (
        Product.product_id, Product.name, Product.family, Product.tier, Product.price_minor, Product.currency,
        Product.is_active, Product.margin_minor, Product.line, Product.category, Product.is_merchandise,
        Product.parent_product_id, Product.replaces,
    )  # fmt: skip
    return {
        row.product_id: ProductInfo(
            product_id=row.product_id,
            name=row.name,
            family=row.family or "",
            tier=row.tier,
            price_minor=row.price_minor,
            currency=row.currency,
            is_active=row.is_active,
            margin_minor=row.margin_minor,
            line=row.line or "",
            category=row.category or "",
            is_merchandise=row.is_merchandise,
            links=ProductLinks(row.parent_product_id or "", row.replaces or ""),
        )
        for chunk in in_chunks(product_ids)
        for row in connection.execute(select(*columns).where(Product.product_id.in_(chunk)))
    }


def bounded_products(
    connection: Connection, product_ids: Sequence[str] | None = None
) -> dict[str, ProductAvailability]:
    """Read the availability of some products, or of all; those that can always be had are left out."""
    columns = (Product.available_from, Product.available_until, Product.stock)
    query = select(Product.product_id, *columns).where(or_(*(column.is_not(None) for column in columns)))
    queries = (
        [query]
        if product_ids is None
        else [query.where(Product.product_id.in_(chunk)) for chunk in in_chunks(product_ids)]
    )
    return {
        product_id: ProductAvailability(begins, ends, stock)
        for query in queries
        for product_id, begins, ends, stock in connection.execute(query)
    }


def _by_row(view: CatalogueView, by_id: Mapping[str, ProductAvailability]) -> dict[ProductRow, ProductAvailability]:
    row_of = view.products.row_of
    return {row: bounds for product_id, bounds in by_id.items() if (row := row_of(product_id)) is not None}


def product_attributes(connection: Connection, product_ids: Sequence[str] | None) -> dict[str, bytes]:
    """Read the attributes of some products, or of all, as JSON; those without any are left out."""
    text = cast(Product.attributes, Text)
    query: Any = select(Product.product_id, text).where(text != _NO_ATTRIBUTES)
    queries = (
        [query]
        if product_ids is None
        else [query.where(Product.product_id.in_(chunk)) for chunk in in_chunks(product_ids)]
    )
    return {
        product_id: orjson.dumps(orjson.loads(stored))
        for query in queries
        for product_id, stored in connection.execute(query)
    }


CATALOGUE: Final = LiveSection("catalogue", frozenset({PRODUCTS_CHANGED, RELATIONSHIPS_CHANGED}), load, refresh)
