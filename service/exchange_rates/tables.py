"""The exchange rates table."""

from datetime import date, datetime

from sqlalchemy import Float, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class ExchangeRate(Base):
    """One unit of the base currency is worth ``rate`` units of the quote currency from a day on, in major units."""

    __tablename__ = "exchange_rates"
    __table_args__ = ({"sqlite_with_rowid": False},)

    base_currency: Mapped[str] = mapped_column(Text, primary_key=True)
    quote_currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
