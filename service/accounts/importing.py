"""Import accounts from files."""

from typing import Final

from service.accounts.queries import upsert_accounts
from service.accounts.schemas import AccountIn
from service.rows.import_kind import ImportKind
from service.rows.record_import import RecordImport

ACCOUNT_RECORDS: Final = RecordImport(row=AccountIn, key="account_id", upsert=upsert_accounts)
ACCOUNT_IMPORT: Final = ImportKind(
    name="accounts",
    help="""Import accounts: account_id, name, parent_account_id, is_strategic, attributes.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """,
    fields=tuple(AccountIn.model_fields),
    mandatory=("account_id",),
    import_rows=ACCOUNT_RECORDS.import_rows,
)
