"""Policies, and every version that there was of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text
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
