"""The tables of products, and of curated relationships."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Text, true
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Product(Base):
    """What is sold. A stub (``is_stub``) was named by an order or a deal before anyone described it.

    parent_product_id, replaces: need not be stored products.
    """

    __tablename__ = "products"

    product_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    family: Mapped[str | None] = mapped_column(Text)
    tier: Mapped[int | None]
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    margin_minor: Mapped[int | None] = mapped_column(BigInteger)
    is_active: Mapped[bool]
    is_merchandise: Mapped[bool] = mapped_column(server_default=true())
    parent_product_id: Mapped[str | None] = mapped_column(Text)
    replaces: Mapped[str | None] = mapped_column(Text)
    available_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    available_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stock: Mapped[float | None] = mapped_column(Double)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_stub: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Relationship(Base):
    """A curated relationship, in place of what was learned. status: approved, banned or added.

    created_by, updated_by: the id of the API key, or what else it was that wrote.
    """

    __tablename__ = "relationships"

    source_product_id: Mapped[str] = mapped_column(Text, ForeignKey("products.product_id"), primary_key=True)
    target_product_id: Mapped[str] = mapped_column(Text, ForeignKey("products.product_id"), primary_key=True)
    relation: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)
