"""Reserves offers: decides in the transaction that reserves, so that neither caps nor limits are ever exceeded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from service.decisions.queries import find_in
from service.decisions.writing import DECISIONS_CHANGED, write_new_decisions
from service.offers.respond import Call, Recommender, Recorded
from service.outcomes.acceptances import Acceptance
from service.policies.caps import RESERVATIONS_CHANGED
from service.policies.queries import has_limits
from service.readmodel.active_policies import ActivePolicies
from service.readmodel.contact_policies import ContactProduct
from service.reservations.errors import CapReached, UnknownReservation
from service.reservations.queries import (
    accept,
    acceptance_of,
    add_acceptance,
    live_reservations,
    release,
    reservation_of,
    reservations_of,
    reserve,
)
from service.reservations.room import Room
from service.storage.turns import RESERVATION_TURNS, take_turn
from service.sync.artifact_holder import ArtifactHolder
from service.sync.follower import ChangeFollower
from service.web.unit_of_work import UnitOfWork


class Reserved(NamedTuple):
    """An answer, and which of its offers are reserved until when; see ``ReservationsMade``."""

    answer: bytes
    expires_at: datetime | None = None
    product_ids: Sequence[str] = ()
    is_repeated: bool = False


class Kept:
    """Takes the decision of one call instead of the decision log."""

    is_behind = False

    def __init__(self) -> None:
        self.decision: Recorded | None = None

    def record(self, decision: Recorded) -> None:
        """See ``DecisionRecorder``."""
        self.decision = decision


class Reservations:
    """Reserves, accepts and releases, one request at a time, on what is committed by then."""

    def __init__(self, recommender: Recommender, follower: ChangeFollower, holder: ArtifactHolder) -> None:
        self._recommender = recommender
        self._follower = follower
        self._holder = holder

    def reserve(self, write: UnitOfWork, call: Call, minutes: int) -> Reserved:
        """Decide for one account and reserve what it is offered.

        Where the same request holds reservations already, the answer is the one that it got.
        """
        self._begin(write.connection)
        before = _repeated(write.connection, call, write.now)
        if before is not None:
            return before
        kept, expires_at = Kept(), write.now + timedelta(minutes=minutes)
        answer = self._recommender.respond_one(call, kept)
        decision = kept.decision
        if decision is None or not decision.offers:
            if decision is not None:
                write_new_decisions(write.connection, [decision])
            return Reserved(answer)
        write_new_decisions(write.connection, [decision])
        if has_limits(write.connection) and decision.account_id is not None:
            write.changes.touch(DECISIONS_CHANGED, [decision.account_id])
        product_ids = reserve(write.connection, decision, expires_at, self._room(write))
        write.changes.touch(RESERVATIONS_CHANGED, product_ids)
        return Reserved(answer, expires_at if product_ids else None, product_ids)

    def accept(self, write: UnitOfWork, decision_id: str, product_ids: list[str] | None) -> list[str]:
        """Accept what a decision reserved, once; an expired reservation only if something is left of each cap.

        Raises UnknownReservation or CapReached; then nothing is accepted.
        """
        self._begin(write.connection)
        rows, room = _named(write.connection, decision_id, product_ids), self._room(write)
        for row in rows:
            if row.expires_at is not None and row.expires_at <= write.now:
                cap = room.take(_product_of(row))
                if cap is not None:
                    raise CapReached(row.product_id, cap.id)
        accept(write.connection, [row.reservation_id for row in rows if row.accepted_at is None], write.now)
        return self._touched(write, rows)

    def release(self, write: UnitOfWork, decision_id: str, product_ids: list[str] | None) -> list[str]:
        """Release what a decision reserved, or what of it was accepted; raises UnknownReservation."""
        self._begin(write.connection)
        rows = _named(write.connection, decision_id, product_ids)
        release(write.connection, [row.reservation_id for row in rows])
        return self._touched(write, rows)

    def take_up(self, write: UnitOfWork, accepted: Sequence[Acceptance]) -> None:
        """See ``TakesUp``: accept what is reserved; what is not counts where a cap asks for it and has room left.

        What has no room left was accepted all the same, and is not counted: what is used never exceeds a cap.
        """
        self._begin(write.connection)
        room = self._room(write)
        for each in accepted:
            row = reservation_of(write.connection, each.account_id, each.product_id, write.now)
            if row is not None:
                accept(write.connection, [row.reservation_id], write.now)
            elif room.caps_of(_product_of(each)) and room.take(_product_of(each)) is None:
                add_acceptance(write.connection, each, write.now)
            else:
                continue
            write.changes.touch(RESERVATIONS_CHANGED, [each.product_id])

    def give_back(self, write: UnitOfWork, account_id: str, product_id: str) -> None:
        """See ``TakesUp``."""
        self._begin(write.connection)
        row = acceptance_of(write.connection, account_id, product_id)
        if row is not None:
            release(write.connection, [row.reservation_id])
            write.changes.touch(RESERVATIONS_CHANGED, [product_id])

    def _room(self, write: UnitOfWork) -> Room:
        current = self._holder.current
        caps = () if current is None else current.state.part(ActivePolicies).by_count.caps
        return Room(write.connection, caps, write.now)

    def _begin(self, connection: Connection) -> None:
        take_turn(connection, RESERVATION_TURNS)
        # Whoever had the turn before has committed: memory is what the database is, until this transaction ends.
        self._follower.catch_up()

    def _touched(self, write: UnitOfWork, rows: list[Any]) -> list[str]:
        product_ids = [row.product_id for row in rows]
        write.changes.touch(RESERVATIONS_CHANGED, product_ids)
        return product_ids


def _repeated(connection: Connection, call: Call, now: datetime) -> Reserved | None:
    held = live_reservations(connection, call.wanted.account_id, now)
    for decision_id in dict.fromkeys(row.decision_id for row in held):
        decided = find_in(connection, decision_id)
        if decided is not None and decided.request == call.body:
            reserved = {row.product_id: row.expires_at for row in held if row.decision_id == decision_id}
            offered = (offer["product_id"] for offer in orjson.loads(decided.answer)["offers"])
            product_ids = [product_id for product_id in offered if product_id in reserved]
            return Reserved(decided.answer, min(reserved.values()), product_ids, is_repeated=True)
    return None


def _named(connection: Connection, decision_id: str, product_ids: list[str] | None) -> list[Any]:
    rows = reservations_of(connection, decision_id)
    if not rows:
        raise UnknownReservation(decision_id)
    for product_id in product_ids or ():
        if product_id not in rows:
            raise UnknownReservation(decision_id, product_id)
    return [rows[product_id] for product_id in dict.fromkeys(product_ids or rows)]


def _product_of(row: Any) -> ContactProduct:
    """Return the product of a reservation or an acceptance, as it was then."""
    return ContactProduct(row.product_id, row.line or "", row.category or "")
