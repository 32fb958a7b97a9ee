"""What is kept in memory of caps: how much of each is accepted or reserved."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select

from service.policies.live import POLICIES, POLICIES_CHANGED
from service.policies.tables import Reservation
from service.readmodel.active_policies import ActivePolicies
from service.readmodel.caps import Cap, CapUse, CapUses, Hold
from service.readmodel.live_state import LiveState
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

RESERVATIONS_CHANGED: Final = ChangeKind("reservations")
"""Identifiers of products of which one was reserved, released or accepted."""
_COLUMNS: Final = {
    "products": Reservation.product_id, "lines": Reservation.line, "categories": Reservation.category,
}  # fmt: skip


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Count what is used of every cap."""
    state.replace_part(count_uses(connection, state.part(ActivePolicies).by_count.caps))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Count anew what is used of the caps that concern some products; of all if a cap changed."""
    cap_uses, caps = state.part(CapUses), state.part(ActivePolicies).by_count.caps
    if list(cap_uses.caps.values()) != list(caps):
        load(state, connection, changes)
    elif caps and (product_ids := changes.ids(RESERVATIONS_CHANGED)):
        touched = [cap for cap in caps if _concerns(cap, product_ids)]
        counted = count_uses(connection, touched).uses
        state.replace_part(cap_uses.with_uses({cap.id for cap in touched}, counted))


def count_uses(connection: Connection, caps: Sequence[Cap]) -> CapUses:
    """Count what is used of some caps."""
    uses: dict[tuple[str, str], CapUse] = {}
    for cap in caps:
        uses |= {(cap.id, key): use for key, use in _uses_of(connection, cap).items()}
    return CapUses(caps, uses)


def _uses_of(connection: Connection, cap: Cap) -> dict[str, CapUse]:
    """Return what is used of a cap, by key. What was reserved before it began is used, too, as long as it is held."""
    n_accepted: dict[str, int] = defaultdict(int)
    holds: dict[str, list[Hold]] = defaultdict(list)
    is_accepted: Any = Reservation.accepted_at.is_not(None)
    if cap.valid_from is not None:
        is_accepted = and_(is_accepted, Reservation.accepted_at >= cap.valid_from)
    for names in in_chunks(getattr(cap.scope, cap.scope.kind)):
        in_scope = _COLUMNS[cap.scope.kind].in_(names)
        counted: Any = select(Reservation.product_id, func.count()).where(in_scope, is_accepted)
        for product_id, n in connection.execute(counted.group_by(Reservation.product_id)):
            n_accepted[cap.key_of(product_id)] += n
        held: Any = select(Reservation.expires_at, Reservation.account_id, Reservation.product_id)
        for expires_at, account_id, product_id in connection.execute(
            held.where(in_scope, Reservation.expires_at.is_not(None))
        ):
            holds[cap.key_of(product_id)].append(Hold(expires_at, account_id, product_id))
    keys = {*n_accepted, *holds}
    return {key: CapUse(n_accepted[key], tuple(sorted(holds[key]))) for key in keys}


def _concerns(cap: Cap, product_ids: Collection[str]) -> bool:
    """Tell whether what is used of a cap may be another since some products were reserved, released or accepted.

    Of which line and category they were then is not known once they are released.
    """
    return not cap.scope.products or not set(cap.scope.products).isdisjoint(product_ids)


CAP_USES: Final = LiveSection(
    "cap uses",
    frozenset({RESERVATIONS_CHANGED, POLICIES_CHANGED}),
    load,
    refresh,
    reads=frozenset({POLICIES.name}),
)
