"""The SQL of an erasure: every table that names accounts."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import orjson
from sqlalchemy import Connection, Table, Text, delete, func, literal, select, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import InstrumentedAttribute

from service.accounts.live import ACCOUNTS_CHANGED
from service.accounts.notes import remove_notes
from service.accounts.tables import Account, Consent
from service.deals.tables import Deal
from service.decisions.queries import erase_decisions
from service.orders.live import SALES_CHANGED, sales_hours
from service.orders.tables import Order, OrderLine
from service.outcomes.queries import erase_outcomes
from service.policies.caps import RESERVATIONS_CHANGED
from service.reservations.queries import erase_reservations
from service.storage.bulk import upsert_rows
from service.storage.changes import ChangeLog
from service.storage.tables import Change
from service.tombstones.digests import digests_to_erase_with
from service.tombstones.live import ACCOUNTS_ERASED
from service.tombstones.tables import Tombstone
from service.web.idempotency.tables import IdempotentAnswer

ERASED: Final = b'"erased"'
"""Stands in stored answers where the account was named."""


@dataclass(frozen=True)
class Erased:
    """What was found of an account, and deleted."""

    is_stored: bool
    orders: int
    deals: int
    decisions: int
    is_objecting: bool
    sequence: int

    @property
    def is_anything(self) -> bool:
        """Tell whether the database held anything of the account."""
        return self.is_stored or self.decisions > 0


def erase_account(connection: Connection, account_id: str, now: datetime, *, deletes_orders: bool = False) -> Erased:
    """Delete all that the database holds of an account, and write the change that makes every worker follow.

    Call ``wait_for_writers`` first. What other accounts' records say of it in free text is not known here.
    """
    _overwrite_deleted(connection)
    digest = digests_to_erase_with(connection).digest_of(account_id)
    is_objecting = _is_objecting(connection, account_id, digest)
    children = connection.scalars(
        update(Account)
        .where(Account.parent_account_id == account_id, Account.account_id != account_id)
        .values(parent_account_id=None, updated_at=now)
        .returning(Account.account_id)
    ).all()
    order_times = connection.scalars(select(Order.ordered_at).where(Order.account_id == account_id)).all()
    orders = _release_orders(connection, account_id, deletes_orders=deletes_orders)
    deals = connection.execute(delete(Deal).where(Deal.account_id == account_id)).rowcount
    remove_notes(connection, [account_id])
    connection.execute(delete(Consent).where(Consent.account_id == account_id))
    is_stored = connection.execute(delete(Account).where(Account.account_id == account_id)).rowcount > 0
    decisions = erase_decisions(connection, account_id)
    erase_outcomes(connection, account_id)
    reserved = erase_reservations(connection, account_id)
    _redact_answers(connection, account_id)
    _redact_changes(connection, account_id)
    changes = ChangeLog()
    changes.touch(ACCOUNTS_ERASED, [digest])
    changes.touch(ACCOUNTS_CHANGED, children)
    changes.touch(RESERVATIONS_CHANGED, reserved)
    changes.touch(SALES_CHANGED, sales_hours(order_times))
    sequence = changes.write(connection, now)
    tombstone = {
        "digest": digest, "sequence": sequence, "erased_at": now, "is_objecting": is_objecting, "is_swept": False,
    }  # fmt: skip
    upsert_rows(connection, cast(Table, Tombstone.__table__), [tombstone])
    return Erased(is_stored, orders, deals, decisions, is_objecting, sequence)


def _overwrite_deleted(connection: Connection) -> None:
    """Have SQLite overwrite what is deleted; it would stay readable in the file's free pages."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON").close()


def _is_objecting(connection: Connection, account_id: str, digest: str) -> bool:
    """Tell whether an account objects now, or did when it was erased before and has not come back since."""
    consent = connection.scalar(select(Consent.is_objecting).where(Consent.account_id == account_id))
    if consent is not None:
        return consent
    return bool(connection.scalar(select(Tombstone.is_objecting).where(Tombstone.digest == digest)))


def _release_orders(connection: Connection, account_id: str, *, deletes_orders: bool) -> int:
    """Make an account's orders guests' orders, or delete them; return their number."""
    is_owned = Order.account_id == account_id
    if not deletes_orders:
        return connection.execute(update(Order).where(is_owned).values(account_id=None)).rowcount
    connection.execute(delete(OrderLine).where(OrderLine.order_id.in_(select(Order.order_id).where(is_owned))))
    return connection.execute(delete(Order).where(is_owned)).rowcount


def _redact_answers(connection: Connection, account_id: str) -> None:
    """Take the account out of answers that are kept for retries: their writes are still carried out only once."""
    needle = orjson.dumps(account_id)
    stored = select(IdempotentAnswer.key_id, IdempotentAnswer.idempotency_key, IdempotentAnswer.body)
    for key_id, idempotency_key, body in connection.execute(stored.where(_holds(connection, needle))).all():
        is_answer = (IdempotentAnswer.key_id == key_id, IdempotentAnswer.idempotency_key == idempotency_key)
        redacted = bytes(body or b"").replace(needle, ERASED)
        connection.execute(update(IdempotentAnswer).where(*is_answer).values(body=redacted))


def _holds(connection: Connection, needle: bytes) -> Any:
    body: InstrumentedAttribute[bytes | None] = IdempotentAnswer.body
    if connection.dialect.name == "sqlite":
        return func.instr(body, needle) > 0
    return func.position(literal(needle).op("IN")(body)) > 0


def _redact_changes(connection: Connection, account_id: str) -> None:
    """Take the account out of the change log. Who has yet to follow it follows the erasure instead."""
    written = json.dumps(account_id)  # as the column's type does
    named = select(Change.sequence, Change.ids).where(sql_cast(Change.ids, Text).contains(written, autoescape=True))
    for sequence, ids in connection.execute(named).all():
        if account_id in ids:
            kept = [key for key in ids if key != account_id]
            connection.execute(update(Change).where(Change.sequence == sequence).values(ids=kept))
