"""What is kept in memory of arbitration: what is stored in place of the settings."""

from typing import Any, Final

from sqlalchemy import Connection

from service.arbitration.queries import read_stored
from service.base.arbitration_options import Strategy
from service.catalogue.live import CATALOGUE, PRODUCTS_CHANGED
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicyScope
from service.readmodel.product_columns import ProductColumns
from service.readmodel.stored_arbitration import StoredArbitration
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

ARBITRATION_CHANGED: Final = ChangeKind("arbitration")
"""There is one identifier: ``arbitration``."""
OPTIONS: Final = {"up_sell_first": "is_up_sell_first", "offer_valid_hours": "valid_hours"}
"""By the name of a field, the option that it is where that is called something else."""


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Read what is stored."""
    definition = dict(read_stored(connection).definition)
    named = definition.pop("up_sell_scope", None)
    scope = None if named is None else PolicyScope.model_validate(named)
    changes: dict[str, Any] = {OPTIONS.get(name, name): value for name, value in definition.items()}
    if "strategy" in changes:
        changes["strategy"] = Strategy(changes["strategy"])
    stored = StoredArbitration(changes, scope)
    state.replace_part(_placed(state, stored))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what is stored now; or find the products of the scope anew."""
    if changes.ids(ARBITRATION_CHANGED):
        load(state, connection, changes)
    elif state.part(StoredArbitration).up_sell_scope is not None:
        state.replace_part(_placed(state, state.part(StoredArbitration)))


def _placed(state: LiveState, stored: StoredArbitration) -> StoredArbitration:
    if stored.up_sell_scope is None:
        return stored
    return stored.with_first_upgrades(ProductColumns(state.part(CatalogueView)).in_scope(stored.up_sell_scope))


ARBITRATION: Final = LiveSection(
    "arbitration",
    frozenset({ARBITRATION_CHANGED, PRODUCTS_CHANGED}),
    load,
    refresh,
    reads=frozenset({CATALOGUE.name}),
)
