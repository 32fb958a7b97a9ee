"""The SQL of the operator's weights."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Connection, Table, delete, func, select

from service.goals.errors import TooManyWeights, UnknownWeight
from service.goals.queries import check_scope
from service.goals.tables import StoredWeight, WeightVersion
from service.readmodel.goals import ScopeKind
from service.readmodel.levers import WeightKey
from service.storage.bulk import upsert_rows
from service.storage.versions import Version, last_version, note_version

MAX_WEIGHTS: Final = 500
_WEIGHTS: Final = StoredWeight.__table__


class Weight(NamedTuple):
    """A weight as it is stored. updated_by: the id of the API key."""

    kind: ScopeKind
    name: str
    percent: float
    version: int
    updated_at: datetime
    updated_by: str

    @property
    def key(self) -> str:
        """What changes and versions call it."""
        return weight_key(self.kind, self.name)


def weight_key(kind: ScopeKind, name: str) -> str:
    """Return what changes and versions call a weight, such as ``lines/coffee``."""
    return f"{kind}/{name}"


def read_weights(connection: Connection) -> dict[WeightKey, float]:
    """Return every weight, in percent."""
    query = select(StoredWeight.kind, StoredWeight.name, StoredWeight.percent)
    return {(ScopeKind(kind), name): percent for kind, name, percent in connection.execute(query)}


def list_weights(connection: Connection) -> list[Weight]:
    """Return every weight, by kind and name."""
    query = select(_WEIGHTS).order_by(StoredWeight.kind, StoredWeight.name)
    return [_weight_of(row) for row in connection.execute(query).mappings()]


def find_weight(connection: Connection, kind: ScopeKind, name: str) -> Weight | None:
    """Return a weight; None where none is set."""
    row = connection.execute(select(_WEIGHTS).where(*_is(kind, name))).mappings().one_or_none()
    return None if row is None else _weight_of(row)


def get_weight(connection: Connection, kind: ScopeKind, name: str) -> Weight:
    """Return a weight; raises UnknownWeight."""
    weight = find_weight(connection, kind, name)
    if weight is None:
        raise UnknownWeight(kind, name)
    return weight


def put_weight(
    connection: Connection,
    before: Weight | None,
    kind: ScopeKind,
    name: str,
    percent: float,
    by: str,
    now: datetime,
) -> Weight:
    """Store a weight, unless nothing is different; raises ScopeMatchesNothing or TooManyWeights.

    before: what is stored. Call ``take_turn`` before reading it.
    """
    if before is not None and before.percent == percent:
        return before
    check_scope(connection, kind, [name])
    if before is None and (connection.scalar(select(func.count()).select_from(StoredWeight)) or 0) >= MAX_WEIGHTS:
        raise TooManyWeights(MAX_WEIGHTS)
    weight = Weight(kind, name, percent, _next_version(connection, before, kind, name), now, by)
    upsert_rows(connection, cast(Table, _WEIGHTS), [{**weight._asdict(), "kind": str(kind)}])
    change = Version(weight.version, now, by, _content_of(before), _content_of(weight))
    note_version(connection, WeightVersion.weight, weight.key, change)
    return weight


def remove_weight(connection: Connection, before: Weight, by: str, now: datetime) -> None:
    """Delete a weight; its history stays. Call ``take_turn`` before reading it."""
    connection.execute(delete(StoredWeight).where(*_is(before.kind, before.name)))
    change = Version(before.version + 1, now, by, _content_of(before), None)
    note_version(connection, WeightVersion.weight, before.key, change)


def _next_version(connection: Connection, before: Weight | None, kind: ScopeKind, name: str) -> int:
    """A weight that is set again goes on with its versions: no two have the same ETag."""
    if before is not None:
        return before.version + 1
    return last_version(connection, WeightVersion.weight, weight_key(kind, name)) + 1


def _content_of(weight: Weight | None) -> dict[str, Any] | None:
    return None if weight is None else {"percent": weight.percent}


def _is(kind: ScopeKind, name: str) -> Sequence[Any]:
    return StoredWeight.kind == str(kind), StoredWeight.name == name


def _weight_of(row: Any) -> Weight:
    return Weight(**{**row, "kind": ScopeKind(row["kind"])})
