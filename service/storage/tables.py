"""The change log, which every worker follows."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Change(Base):
    """Which facts one transaction changed: what they are now is read from their own tables.

    ``sequence`` grows in the order of commits. What ``ids`` identify depends on ``kind``; see ``ChangeKind``.
    """

    __tablename__ = "changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    ids: Mapped[list[str]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
