"""The accounts table."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Account(Base):
    """Who buys. A stub (``is_stub``) was named by an order or a deal before anyone described it."""

    __tablename__ = "accounts"
    __table_args__ = (Index(None, "parent_account_id"),)

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    parent_account_id: Mapped[str | None] = mapped_column(Text)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_strategic: Mapped[bool] = mapped_column(server_default=false())
    is_stub: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StoredNote(Base):
    """A goal or a pain point of an account. created_by: the id of the API key."""

    __tablename__ = "account_notes"
    __table_args__ = (Index(None, "account_id"),)

    note_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    kind: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    noted_by: Mapped[str | None] = mapped_column(Text)
    valid_until: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)


class Consent(Base):
    """An account's choice about marketing. Without a row it was not asked, and may get offers."""

    __tablename__ = "consents"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    is_objecting: Mapped[bool]
    origin: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
