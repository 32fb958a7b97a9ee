"""The decision log of decisions."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class DecisionRow(Base):
    """Where one decision is found. The identifiers sort by time: no index on it.

    Its request is ``[start:middle]`` of the block's bytes, its answer ``[middle:stop]``.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "account_id", "decision_id"), {"sqlite_with_rowid": False})

    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    key_id: Mapped[str | None] = mapped_column(Text)
    block_id: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(Integer)
    middle: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)


class DecisionBlock(Base):
    """What some decisions said: their requests and answers, byte by byte, one after the other, compressed by zlib."""

    __tablename__ = "decision_blocks"

    block_id: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
