"""The ledger of decisions."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.database import Base, UtcDateTime


class DecisionRow(Base):
    """One answer, as it was sent, and the request that it answers. The identifiers sort by time: no index on it."""

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "account_id", "decision_id"), {"sqlite_with_rowid": False})

    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    key_id: Mapped[str | None] = mapped_column(Text)
    request: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
