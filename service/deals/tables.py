"""The deals table."""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Deal(Base):
    """What one account may buy, has bought, or won't. ``stage`` is the caller's own word; status: open, won or lost."""

    __tablename__ = "deals"
    __table_args__ = (Index(None, "account_id"),)

    deal_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    product_id: Mapped[str] = mapped_column(ForeignKey("products.product_id"))
    stage: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expected_close: Mapped[date | None]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
