"""Accounts and products that an order or a deal names before anyone described them."""

from datetime import datetime
from typing import Final, cast

from sqlalchemy import JSON, Boolean, Column, Connection, MetaData, Table, Text

from service.catalogue.tables import Product
from service.storage.bulk import add_stubs, stored_ids
from service.storage.changes import ChangeLog
from service.storage.database import UtcDateTime
from service.storage.records import Stubs
from service.tombstones.objections import recall_objections

_PRODUCTS: Final = cast(Table, Product.__table__)
# The columns of an account that orders use. Accounts read the orders, so orders can't import the accounts.
ACCOUNTS: Final = Table(
    "accounts",
    MetaData(),
    Column("account_id", Text, primary_key=True),
    Column("name", Text),
    Column("attributes", JSON),
    Column("is_stub", Boolean),
    Column("updated_at", UtcDateTime),
)


def add_named(
    connection: Connection, account_ids: set[str], product_ids: set[str], now: datetime, changes: ChangeLog
) -> Stubs:
    """Add the accounts and products that are not stored yet; return how many those were."""
    accounts = account_ids - stored_ids(connection, ACCOUNTS, account_ids)
    products = product_ids - stored_ids(connection, _PRODUCTS, product_ids)
    stub = {"attributes": {}, "is_stub": True, "updated_at": now}
    add_stubs(connection, ACCOUNTS, [{"account_id": account_id, **stub} for account_id in accounts])
    add_stubs(connection, _PRODUCTS, [{"product_id": key, "name": key, "is_active": True, **stub} for key in products])
    recall_objections(connection, accounts, now, changes)
    return Stubs(len(accounts), len(products))
