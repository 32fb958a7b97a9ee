"""What was reported of offers."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class OutcomeRow(Base):
    """One outcome. line, category: those that the product had in the decision, or when the outcome was received.

    is_placed: False where the decision or the account is not known; it counts for nothing.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        Index(None, "account_id", "product_id", "kind", "occurred_at", unique=True),
        Index(None, "occurred_at"),
    )

    outcome_id: Mapped[str] = mapped_column(Text, primary_key=True)
    decision_id: Mapped[str | None] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Text)
    product_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    line: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str | None] = mapped_column(Text)
    placement: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    is_automated: Mapped[bool] = mapped_column(Boolean)
    is_placed: Mapped[bool] = mapped_column(Boolean)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_by: Mapped[str] = mapped_column(Text)
    retracted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
