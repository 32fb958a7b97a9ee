"""Reserves offers: decides in the transaction that reserves, so that neither caps nor limits are ever exceeded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from service.decisions.queries import find_in
from service.decisions.writing import DECISIONS_CHANGED, write_new_decisions
from service.offers.respond import Call, Recommender, Recorded
from service.outcomes.acceptances import Acceptance
from service.policies.caps import RESERVATIONS_CHANGED, count_uses
from service.policies.queries import has_limits
from service.readmodel.active_policies import ActivePolicies
from service.readmodel.caps import Cap, CapUses
from service.readmodel.live_state import LiveState
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
from service.storage.turns import RESERVATION_TURNS, take_turn
from service.sync.artifact_holder import ArtifactHolder
from service.sync.follower import ChangeFollower
from service.web.unit_of_work import UnitOfWork


class Reserved(NamedTuple):
    """An answer, and until when its offers are reserved. is_repeated: see ``ReservationsMade``."""

    answer: bytes
    expires_at: datetime | None
    is_repeated: bool


class Kept:
    """Takes the decision of one call instead of the decision log."""

    is_behind = False

    def __init__(self) -> None:
        self.decision: Recorded | None = None

    def record(self, decision: Recorded) -> None:
        """See ``DecisionRecorder``."""
        self.decision = decision


class ReservationDesk:
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
            return Reserved(answer, None, is_repeated=False)
        write_new_decisions(write.connection, [decision])
        if has_limits(write.connection) and decision.account_id is not None:
            write.changes.touch(DECISIONS_CHANGED, [decision.account_id])
        write.changes.touch(RESERVATIONS_CHANGED, reserve(write.connection, decision, expires_at))
        return Reserved(answer, expires_at, is_repeated=False)

    def accept(self, write: UnitOfWork, decision_id: str, product_ids: list[str] | None, state: LiveState) -> list[str]:
        """Accept what a decision reserved, once; an expired reservation only if something is left of each cap.

        Raises UnknownReservation or CapReached; then nothing is accepted.
        """
        self._begin(write.connection)
        rows = _named(write.connection, decision_id, product_ids)
        for row in rows:
            if row.expires_at is not None and row.expires_at <= write.now:
                _refuse_exhausted(state, row, write.now)
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
        for each in accepted:
            row = reservation_of(write.connection, each.account_id, each.product_id, write.now)
            if row is not None:
                accept(write.connection, [row.reservation_id], write.now)
            elif not self._add(write, each):
                continue
            write.changes.touch(RESERVATIONS_CHANGED, [each.product_id])

    def give_back(self, write: UnitOfWork, account_id: str, product_id: str) -> None:
        """See ``TakesUp``."""
        self._begin(write.connection)
        row = acceptance_of(write.connection, account_id, product_id)
        if row is not None:
            release(write.connection, [row.reservation_id])
            write.changes.touch(RESERVATIONS_CHANGED, [product_id])

    def _add(self, write: UnitOfWork, accepted: Acceptance) -> bool:
        """Count an acceptance without a reservation, and tell whether a cap asks for it and has room."""
        uses = count_uses(write.connection, [cap for cap in self._caps() if _is_covered(cap, accepted)])
        in_force = [cap for cap in uses.caps.values() if cap.is_in_force(write.now)]
        exhausted = uses.exhausted(write.now)
        if not in_force or any(cap.key_of(accepted.product_id) in exhausted.get(cap.id, ()) for cap in in_force):
            return False
        add_acceptance(write.connection, accepted, write.now)
        return True

    def _caps(self) -> Sequence[Cap]:
        current = self._holder.current
        return () if current is None else current.state.part(ActivePolicies).by_count.caps

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
            expires_at = min(row.expires_at for row in held if row.decision_id == decision_id)
            return Reserved(decided.answer, expires_at, is_repeated=True)
    return None


def _named(connection: Connection, decision_id: str, product_ids: list[str] | None) -> list[Any]:
    rows = reservations_of(connection, decision_id)
    if not rows:
        raise UnknownReservation(decision_id)
    for product_id in product_ids or ():
        if product_id not in rows:
            raise UnknownReservation(decision_id, product_id)
    return [rows[product_id] for product_id in dict.fromkeys(product_ids or rows)]


def _refuse_exhausted(state: LiveState, row: Any, now: datetime) -> None:
    exhausted = state.part(CapUses).exhausted(now)
    for cap in state.part(ActivePolicies).by_count.caps:
        if cap.is_in_force(now) and _is_covered(cap, row) and cap.key_of(row.product_id) in exhausted.get(cap.id, ()):
            raise CapReached(row.product_id, cap.id)


def _is_covered(cap: Cap, row: Any) -> bool:
    names = {"products": row.product_id, "lines": row.line, "categories": row.category}
    return names[cap.scope.kind] in getattr(cap.scope, cap.scope.kind)
