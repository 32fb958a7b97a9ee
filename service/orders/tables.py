"""Orders and their lines."""

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Order(Base):
    """One purchase. ``account_id`` is empty for a guest; a cancelled order owns nothing."""

    __tablename__ = "orders"
    __table_args__ = (Index(None, "account_id"), Index("ix_orders_ordered_at", "ordered_at", "order_id"))

    order_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.account_id"))
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    currency: Mapped[str | None] = mapped_column(Text)
    is_cancelled: Mapped[bool]


class OrderLine(Base):
    """One product of one order. ``ordinal`` tells apart repeats of a product within an order, from 0.

    A negative quantity is a return; ``amount_minor`` is the whole line's, with the quantity's sign.
    """

    __tablename__ = "order_lines"
    __table_args__ = ({"sqlite_with_rowid": False},)

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.product_id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    quantity: Mapped[float] = mapped_column(Float)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
