"""What the fallback is made of: the best sellers of the last days of history."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine

WINDOW_DAYS = 90


class PopularProduct(NamedTuple):
    """A product with its orders, and its customers: accounts, and each guest's order as a customer of its own."""

    product: Product
    n_orders: int
    n_buyers: int


def popular_products(session: Session, count: int) -> list[PopularProduct]:
    """Products that may be offered, with their orders in the last 90 days of history, most first; ties by id."""
    newest = session.scalar(select(func.max(Order.ordered_at)).where(~Order.is_cancelled))
    if newest is None:
        return [PopularProduct(product, 0, 0) for product in _any_products(session, count)]
    of_guests = case((Order.account_id.is_(None), OrderLine.order_id))
    n_buyers = func.count(Order.account_id.distinct()) + func.count(of_guests.distinct())
    n_orders = func.count(OrderLine.order_id.distinct())
    recent = (
        select(OrderLine.product_id, n_orders.label("n_orders"), n_buyers.label("n_buyers"))
        .join(Order, Order.order_id == OrderLine.order_id)
        .where(~Order.is_cancelled, Order.ordered_at > newest - timedelta(days=WINDOW_DAYS), OrderLine.quantity > 0)
        .group_by(OrderLine.product_id)
        .subquery()
    )
    query = (
        select(Product, recent.c.n_orders, recent.c.n_buyers)
        .join(recent, recent.c.product_id == Product.product_id)
        .where(Product.is_active, Product.is_merchandise)
        .order_by(recent.c.n_orders.desc(), Product.product_id)
        .limit(count)
    )
    return [PopularProduct(*row) for row in session.execute(query)]


def _any_products(session: Session, count: int) -> list[Product]:
    """A catalogue without sales: any active product is better than an empty answer."""
    query = select(Product).where(Product.is_active, Product.is_merchandise).order_by(Product.product_id).limit(count)
    return list(session.scalars(query))
