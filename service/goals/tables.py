"""The tables of goals and of the operator's weights, and of their histories."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import JSON, Float, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.catalogue.tables import Product
from service.readmodel.goals import ScopeKind
from service.storage.database import Base, UtcDateTime
from service.storage.versions import VersionColumns


class StoredGoal(Base):
    """A goal. period: as it was written; first_day and last_day: what it means. scope: products, lines or categories.

    created_by, updated_by: the id of the API key.
    """

    __tablename__ = "goals"

    goal_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scope_kind: Mapped[str] = mapped_column(Text)
    scope: Mapped[list[str]] = mapped_column(JSON)
    measure: Mapped[str] = mapped_column(Text)
    target: Mapped[float] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(Text)
    period: Mapped[dict[str, Any]] = mapped_column(JSON)
    first_day: Mapped[date]
    last_day: Mapped[date]
    timezone: Mapped[str] = mapped_column(Text)
    segment_id: Mapped[str | None] = mapped_column(Text)
    max_lever: Mapped[float] = mapped_column(Float)
    order_lag_days: Mapped[float] = mapped_column(Float)
    is_enabled: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)


class GoalVersion(VersionColumns, Base):
    """One change of a goal. before, after: the goal as callers write it."""

    __tablename__ = "goal_versions"

    goal_id: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=-1)


class StoredWeight(Base):
    """A percentage by which an operator raises or lowers the priority of a product, a line or a category."""

    __tablename__ = "lever_weights"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    percent: Mapped[float] = mapped_column(Float)
    version: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)


class WeightVersion(VersionColumns, Base):
    """One change of a weight. weight: its kind and name, such as ``lines/coffee``. before, after: its percentage."""

    __tablename__ = "lever_weight_versions"

    weight: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=-1)


SCOPE_COLUMNS: Final[Mapping[ScopeKind, Any]] = {
    ScopeKind.PRODUCTS: Product.product_id,
    ScopeKind.LINES: Product.line,
    ScopeKind.CATEGORIES: Product.category,
}
"""What of a product the names of a scope are compared with."""
