"""How offers are ranked, and every version that there was of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime
from service.storage.versions import VersionColumns


class StoredRanking(Base):
    """What is stored in place of the settings: at most one row, by the name ``arbitration``."""

    __tablename__ = "arbitration"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(Text)


class RankingVersion(VersionColumns, Base):
    """One change of it."""

    __tablename__ = "arbitration_versions"

    name: Mapped[str] = mapped_column(Text, primary_key=True, sort_order=-1)
