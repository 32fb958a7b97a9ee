"""The accounts table."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Base, UtcDateTime


class Account(Base):
    """Who buys. A stub (``is_stub``) was named by an order before anyone described it."""

    __tablename__ = "accounts"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    parent_account_id: Mapped[str | None] = mapped_column(Text)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_stub: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
