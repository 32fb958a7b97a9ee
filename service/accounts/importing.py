"""Import accounts from files."""

from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from service.accounts.live import ACCOUNTS_CHANGED
from service.accounts.queries import described_accounts, undescribe_accounts, upsert_accounts
from service.accounts.schemas import AccountIn
from service.rows.complete_files import remove_missing
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun
from service.rows.record_import import RecordImport, refuse_placeholders, resolve_as_given


def _finish_accounts(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Where files hold all accounts, take back what was said of the others: orders may still name them."""
    remove_missing(engine, import_run, now, ACCOUNTS_CHANGED, described_accounts, undescribe_accounts, _GONE, _WOULD_BE)


_GONE: Final = "accounts {were} left without a description: the files lack them"
_WOULD_BE: Final = "described accounts would lose their name and attributes"
ACCOUNT_RECORDS: Final = RecordImport(
    row=AccountIn,
    key="account_id",
    upsert=upsert_accounts,
    resolver=lambda _, import_run: refuse_placeholders(resolve_as_given(import_run), import_run),
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
