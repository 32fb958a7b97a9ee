"""Import accounts from files."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from service.accounts.errors import HierarchyChanged
from service.accounts.hierarchy_queries import StoredHierarchy, read_parents
from service.accounts.live import ACCOUNTS_CHANGED
from service.accounts.parent_check import ParentCheck, fault_in
from service.accounts.queries import described_accounts, undescribe_accounts, upsert_accounts
from service.accounts.schemas import AccountIn
from service.rows.complete_files import remove_missing
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun
from service.rows.record_import import RecordImport, Resolve, refuse_placeholders, resolve_as_given
from service.rows.validation import RowErrors
from service.storage.database import read_connection
from service.storage.turns import ACCOUNT_TURNS, take_turn


def _finish_accounts(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Where files hold all accounts, take back what was said of the others: orders may still name them."""
    remove_missing(engine, import_run, now, ACCOUNTS_CHANGED, described_accounts, undescribe_accounts, _GONE, _WOULD_BE)


class _StoredNow:
    """Reads the hierarchy as it is stored at each call. Implements ``Lookup``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def parents(self, account_ids: Iterable[str]) -> dict[str, str]:
        """See ``Lookup.parents``."""
        with read_connection(self._engine) as connection:
            return StoredHierarchy(connection).parents(account_ids)

    def children(self, account_ids: Iterable[str]) -> dict[str, list[str]]:
        """See ``Lookup.children``."""
        with read_connection(self._engine) as connection:
            return StoredHierarchy(connection).children(account_ids)


def _resolve_accounts(engine: Engine, import_run: ImportRun) -> Resolve:
    """Refuse rows whose account stands for guests, or whose parent would make a cycle or too many levels."""
    check, lookup = import_run.memory.part(ParentCheck), _StoredNow(engine)
    resolve = refuse_placeholders(resolve_as_given(import_run), import_run)

    def resolve_checked(rows: Mapping[int, Any]) -> tuple[dict[int, dict[str, Any]], RowErrors]:
        records, refused = resolve(rows)
        cyclic = check.refuse({index: rows[index] for index in records}, lookup)
        return {index: record for index, record in records.items() if index not in cyclic}, refused | cyclic

    return resolve_checked


@contextmanager
def _hold_hierarchy(connection: Connection, import_run: ImportRun) -> Iterator[None]:
    """Check what was judged row by row once more, before it is committed; raises HierarchyChanged."""
    changed = import_run.memory.part(ParentCheck).changed
    if changed:
        take_turn(connection, ACCOUNT_TURNS)
    yield
    if changed and (path := fault_in(read_parents(connection), changed)):
        raise HierarchyChanged(path)


_GONE: Final = "accounts {were} left without a description: the files lack them"
_WOULD_BE: Final = "described accounts would lose their name and attributes"
ACCOUNT_RECORDS: Final = RecordImport(
    row=AccountIn,
    key="account_id",
    upsert=upsert_accounts,
    resolver=_resolve_accounts,
    guard=_hold_hierarchy,
)
ACCOUNT_IMPORT: Final = ImportKind(
    name="accounts",
    help="""Import accounts: account_id, name, parent_account_id, is_strategic, attributes.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all. With --complete the files hold all accounts: names, parents and attributes of others are removed, their orders
    stay.
    """,
    fields=tuple(AccountIn.model_fields),
    mandatory=("account_id",),
    import_rows=ACCOUNT_RECORDS.import_rows,
    takes_complete=True,
    takes_account_values=True,
    finish=_finish_accounts,
)
