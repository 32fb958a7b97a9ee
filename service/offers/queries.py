"""What the fallback is made of: the best sellers of the last days of history."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine

WINDOW_DAYS = 90


def popular_products(session: Session, count: int) -> list[tuple[Product, int]]:
    """Products that may be offered, with their orders in the last 90 days of history, most first; ties by id."""
    newest = session.scalar(select(func.max(Order.ordered_at)).where(~Order.is_cancelled))
    if newest is None:
        return [(product, 0) for product in _any_products(session, count)]
    n_orders = func.count(OrderLine.order_id.distinct())
    recent = (
        select(OrderLine.product_id, n_orders.label("n_orders"))
        .join(Order, Order.order_id == OrderLine.order_id)
        .where(~Order.is_cancelled, Order.ordered_at > newest - timedelta(days=WINDOW_DAYS), OrderLine.quantity > 0)
        .group_by(OrderLine.product_id)
        .subquery()
    )
    query = (
        select(Product, recent.c.n_orders)
        .join(recent, recent.c.product_id == Product.product_id)
        .where(Product.is_active, Product.is_merchandise)
        .order_by(recent.c.n_orders.desc(), Product.product_id)
        .limit(count)
    )
    return [(product, n_orders) for product, n_orders in session.execute(query)]


def _any_products(session: Session, count: int) -> list[Product]:
    """A catalogue without sales: any active product is better than an empty answer."""
    query = select(Product).where(Product.is_active, Product.is_merchandise).order_by(Product.product_id).limit(count)
    return list(session.scalars(query))
