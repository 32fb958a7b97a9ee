"""Policies, every version that there was of them, and what is taken up of caps."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime
from service.storage.versions import VersionColumns


class StoredPolicy(Base):
    """A policy as it is now. Of a built-in one only whether it is switched on, once that was changed.

    definition: a ``PolicyIn``, without what has a column of its own.
    """

    __tablename__ = "policies"

    policy_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    type: Mapped[str] = mapped_column(Text)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)


class PolicyVersion(VersionColumns, Base):
    """One change of a policy. before, after: as ``StoredPolicy.definition``, with the name."""

    __tablename__ = "policy_versions"

    policy_id: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=-1)


class Reservation(Base):
    """A product that is reserved for an account by a decision, or accepted.

    line, category: those that the product had then. expires_at: of a reservation; None once it is accepted.
    account_id: None once the account is erased, whose acceptance still counts.
    """

    __tablename__ = "reservations"
    __table_args__ = (Index(None, "decision_id"), Index(None, "product_id"), Index(None, "account_id", "product_id"))

    reservation_id: Mapped[str] = mapped_column(Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    product_id: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
