"""The deals tables."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Deal(Base):
    """What one account may buy, has bought, or won't, without its lines.

    ``stage`` is the caller's own word; status: open, won or lost. ``value_minor`` is what the caller gave for the deal
    as a whole; the values of its lines count before it.
    """

    __tablename__ = "deals"
    __table_args__ = (Index(None, "account_id"),)

    deal_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    stage: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expected_close: Mapped[date | None]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DealLine(Base):
    """One product of one deal. ``ordinal`` tells apart repeats of a product within a deal, from 0.

    ``value_minor`` is the whole line's, not one unit's.
    """

    __tablename__ = "deal_lines"
    __table_args__ = ({"sqlite_with_rowid": False},)

    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.deal_id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.product_id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    quantity: Mapped[float] = mapped_column(Float)
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
