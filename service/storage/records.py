"""Records that are created or updated in place: accounts, products, deals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Table

from service.storage.bulk import RowStatus, stored_rows, upsert_rows


@dataclass(frozen=True)
class Stubs:
    """How many accounts and products were added that nobody has described yet."""

    accounts: int = 0
    products: int = 0


@dataclass(frozen=True)
class Upserted:
    """The status of each record, in order; the rows as they were stored before and are now, by identifier."""

    statuses: list[RowStatus]
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    stubs: Stubs = field(default_factory=Stubs)

    @property
    def changed(self) -> list[str]:
        """Identifiers of the rows that were created or updated."""
        return [row_id for row_id, row in self.after.items() if self.before.get(row_id) is not row]


def upsert_records(
    connection: Connection,
    table: Table,
    blank: Callable[[str], dict[str, Any]],
    records: Sequence[dict[str, Any]],
    now: datetime,
) -> Upserted:
    """Create or update records in order. A record that describes a stub makes it a described row.

    blank: makes a new row of an identifier, with defaults for the columns that no record sets.
    A record changes only the columns that it sets, and ``updated_at`` only if any of them differs.
    """
    key = table.primary_key.columns.keys()[0]
    stored = stored_rows(connection, table, [record[key] for record in records], for_update=True)
    current = dict(stored)
    described = {"is_stub": False} if "is_stub" in table.columns else {}
    statuses: list[RowStatus] = []
    for record in records:
        before = current.get(record[key])
        after = {**(before or blank(record[key])), **record, **described}
        is_same = before is not None and _content(before) == _content(after)
        statuses.append("unchanged" if is_same else "updated" if before else "created")
        if not is_same:
            current[record[key]] = {**after, "updated_at": now}
    upserted = Upserted(statuses, stored, current)
    upsert_rows(connection, table, [current[row_id] for row_id in upserted.changed])
    return upserted


def _content(row: dict[str, Any]) -> bytes:
    # As JSON, since 1, 1.0 and True are equal in Python.
    return orjson.dumps(
        {name: value for name, value in row.items() if name != "updated_at"}, option=orjson.OPT_SORT_KEYS
    )
