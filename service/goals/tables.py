"""The tables of goals, of their history, and of the operator's weights."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Float, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


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


class GoalVersion(Base):
    """One change of a goal. before, after: the goal as callers write it; null before it was made, and once deleted.

    The versions of an id go on counting when a goal is deleted and made again.
    """

    __tablename__ = "goal_versions"

    goal_id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class StoredWeight(Base):
    """A percentage by which an operator raises or lowers the priority of a product, a line or a category."""

    __tablename__ = "lever_weights"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    percent: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)
