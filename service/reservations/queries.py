"""The SQL of reservations."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, insert, select, update

from service.base.ids import new_decision_id
from service.offers.respond import Recorded
from service.outcomes.acceptances import Acceptance
from service.policies.tables import Reservation
from service.readmodel.contact_policies import ContactProduct
from service.reservations.room import Room

KEPT_EXPIRED: Final = timedelta(days=1)
"""For so long an expired reservation can still be accepted, if there is anything left."""


def reserve(connection: Connection, decision: Recorded, expires_at: datetime, room: Room) -> list[str]:
    """Reserve the offers of a decision for its account, best first, and return the products.

    What the account has reserved already is reserved by the later decision from then on, and counts once. Of products
    that share a cap, those for which nothing is left are not reserved.
    """
    held = {row.product_id: row for row in live_reservations(connection, decision.account_id, decision.decided_at)}
    reserved: list[str] = []
    for _, product_id, *_ in decision.offers:
        if product_id in held:
            row = held[product_id]
            is_row = Reservation.reservation_id == row.reservation_id
            values = {"decision_id": decision.decision_id, "expires_at": max(row.expires_at, expires_at)}
            connection.execute(update(Reservation).where(is_row).values(**values))
        else:
            product = decision.product(product_id)
            if room.take(product) is not None:
                continue
            connection.execute(insert(Reservation), _new_row(decision, product, expires_at))
        reserved.append(product_id)
    return reserved


def live_reservations(connection: Connection, account_id: str | None, now: datetime) -> Sequence[Any]:
    """Return what is reserved for an account now."""
    is_live = and_(Reservation.account_id == account_id, Reservation.expires_at > now)
    return connection.execute(select(Reservation.__table__).where(is_live)).all()


def reservations_of(connection: Connection, decision_id: str) -> dict[str, Any]:
    """Return what a decision has reserved, live or expired, and what of it is accepted, by product."""
    rows = connection.execute(select(Reservation.__table__).where(Reservation.decision_id == decision_id))
    return {row.product_id: row for row in rows}


def list_rows(
    connection: Connection, account_id: str | None, product_id: str | None, after: str | None, limit: int
) -> Sequence[Any]:
    """Return reservations in the order in which they were made, from the one after ``after`` on."""
    query = select(Reservation.__table__).order_by(Reservation.reservation_id).limit(limit)
    if account_id is not None:
        query = query.where(Reservation.account_id == account_id)
    if product_id is not None:
        query = query.where(Reservation.product_id == product_id)
    if after is not None:
        query = query.where(Reservation.reservation_id > after)
    return connection.execute(query).all()


def reservation_of(connection: Connection, account_id: str, product_id: str, now: datetime) -> Any | None:
    """Return the reservation of a product that an account holds now."""
    rows = (row for row in live_reservations(connection, account_id, now) if row.product_id == product_id)
    return next(rows, None)


def acceptance_of(connection: Connection, account_id: str, product_id: str) -> Any | None:
    """Return the newest acceptance of a product by an account."""
    is_theirs = (Reservation.account_id == account_id, Reservation.product_id == product_id)
    query = select(Reservation.__table__).where(*is_theirs, Reservation.accepted_at.is_not(None))
    return connection.execute(query.order_by(Reservation.accepted_at.desc()).limit(1)).one_or_none()


def add_acceptance(connection: Connection, accepted: Acceptance, now: datetime) -> None:
    """Store an acceptance that nobody had reserved."""
    row = {
        **accepted._asdict(),
        "decision_id": accepted.decision_id or "",
        "reservation_id": new_decision_id(now),
        "reserved_at": now,
        "expires_at": None,
        "accepted_at": now,
    }
    connection.execute(insert(Reservation), row)


def accept(connection: Connection, reservation_ids: Sequence[str], now: datetime) -> None:
    """Note that reservations are accepted."""
    is_row = Reservation.reservation_id.in_(reservation_ids)
    connection.execute(update(Reservation).where(is_row).values(accepted_at=now, expires_at=None))


def release(connection: Connection, reservation_ids: Sequence[str]) -> None:
    """Delete reservations and acceptances: what they used is free again."""
    connection.execute(delete(Reservation).where(Reservation.reservation_id.in_(reservation_ids)))


def erase_reservations(connection: Connection, account_id: str) -> list[str]:
    """Delete what is reserved for an account, forget whose its acceptances were, and return the products."""
    is_theirs = Reservation.account_id == account_id
    product_ids = list(connection.scalars(select(Reservation.product_id).where(is_theirs).distinct()))
    connection.execute(delete(Reservation).where(is_theirs, Reservation.expires_at.is_not(None)))
    connection.execute(update(Reservation).where(is_theirs).values(account_id=None))
    return product_ids


def _new_row(decision: Recorded, product: ContactProduct, expires_at: datetime) -> dict[str, Any]:
    return {
        "reservation_id": new_decision_id(decision.decided_at),
        "decision_id": decision.decision_id,
        "account_id": decision.account_id,
        "product_id": product.product_id,
        "line": product.line or None,
        "category": product.category or None,
        "reserved_at": decision.decided_at,
        "expires_at": expires_at,
        "accepted_at": None,
    }
