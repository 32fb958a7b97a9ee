"""The decision log: decisions as they were sent, and the offers of each in columns."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, Index, Integer, LargeBinary, Text
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
    channel: Mapped[str | None] = mapped_column(Text)
    placement: Mapped[str | None] = mapped_column(Text)
    block_id: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(Integer)
    middle: Mapped[int] = mapped_column(Integer)
    stop: Mapped[int] = mapped_column(Integer)


class DecisionBlock(Base):
    """What some decisions said: their requests and answers, byte by byte, one after the other, compressed by zlib."""

    __tablename__ = "decision_blocks"

    block_id: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class DecisionOffer(Base):
    """One offer of a decision, with the line and the category that its product had then.

    propensity to priority: see ``ArbitrationOut``; null where the order of offers did not rest on them.
    selection_probability: P(this product stands at this rank), given everything that the decision rests on: 1 while
    nothing is left to chance.
    """

    __tablename__ = "decision_offers"
    __table_args__ = ({"sqlite_with_rowid": False},)

    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    rank: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    product_id: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    propensity: Mapped[float | None] = mapped_column(Float)
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    context: Mapped[float | None] = mapped_column(Float)
    lever: Mapped[float | None] = mapped_column(Float)
    priority: Mapped[float | None] = mapped_column(Float)
    selection_probability: Mapped[float] = mapped_column(Float)
