"""The SQL of products."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, or_, select, update
from sqlalchemy.orm import Session

from service.catalogue.errors import UnknownProduct
from service.catalogue.live import PRODUCTS_CHANGED
from service.catalogue.tables import Product
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeLog
from service.storage.records import Upserted, upsert_records
from service.storage.text_search import contains_text


@dataclass(frozen=True)
class ProductFilter:
    """Which products to list; None lets all pass."""

    line: str | None = None
    category: str | None = None
    active: bool | None = None
    search: str | None = None


def upsert_products(
    connection: Connection, records: Sequence[dict[str, Any]], now: datetime, changes: ChangeLog
) -> Upserted:
    """Create or update described products."""
    upserted = upsert_records(connection, cast(Table, Product.__table__), _blank_product, records, now)
    changes.touch(PRODUCTS_CHANGED, upserted.changed)
    return upserted


def active_products() -> Select[str]:
    """The products that may be offered."""
    return select(Product.product_id).where(Product.is_active)


def described_active_products() -> Select[str]:
    """The products that may be offered and that someone described."""
    return active_products().where(~Product.is_stub)


def inactive_products() -> Select[str]:
    """The products that were switched off."""
    return select(Product.product_id).where(~Product.is_active)


def switch_off(connection: Connection, product_ids: Sequence[str], now: datetime) -> None:
    """Make products inactive."""
    _set_active(connection, product_ids, now, is_active=False)


def switch_on(connection: Connection, product_ids: Sequence[str], now: datetime) -> None:
    """Make products active."""
    _set_active(connection, product_ids, now, is_active=True)


def _set_active(connection: Connection, product_ids: Sequence[str], now: datetime, *, is_active: bool) -> None:
    for chunk in in_chunks(product_ids):
        statement = update(Product).where(Product.product_id.in_(chunk))
        connection.execute(statement.values(is_active=is_active, updated_at=now))


def _blank_product(product_id: str) -> dict[str, Any]:
    unset = dict.fromkeys(("line", "category", "family", "tier", "price_minor", "currency", "margin_minor"))
    unset |= dict.fromkeys(("parent_product_id", "replaces", "available_from", "available_until", "stock"))
    flags = {"is_active": True, "is_merchandise": True}
    return {"product_id": product_id, "name": product_id, **unset, **flags, "attributes": {}}


def find_product(session: Session, product_id: str) -> Product:
    """One product; raises UnknownProduct."""
    product = session.get(Product, product_id)
    if product is None:
        raise UnknownProduct(product_id)
    return product


def page_of_products(session: Session, wanted: ProductFilter, after: str | None, limit: int) -> Sequence[Product]:
    """Products in the order of their identifiers, from the one after ``after`` on."""
    query = select(Product).order_by(Product.product_id).limit(limit)
    if after is not None:
        query = query.where(Product.product_id > after)
    if wanted.line is not None:
        query = query.where(Product.line == wanted.line)
    if wanted.category is not None:
        query = query.where(Product.category == wanted.category)
    if wanted.active is not None:
        query = query.where(Product.is_active == wanted.active)
    if wanted.search is not None:
        is_named = contains_text(Product.name, wanted.search)
        query = query.where(or_(is_named, contains_text(Product.product_id, wanted.search)))
    return session.scalars(query).all()


def product_names(session: Session, product_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those of some products that are stored."""
    return {
        product_id: name
        for chunk in in_chunks(sorted(set(product_ids)))
        for product_id, name in session.execute(
            select(Product.product_id, Product.name).where(Product.product_id.in_(chunk))
        )
    }
