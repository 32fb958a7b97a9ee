"""The SQL of outcomes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_, update

from service.accounts.tables import Account
from service.catalogue.tables import Product
from service.decisions.tables import DecisionOffer, DecisionRow
from service.outcomes.errors import UnknownOutcome
from service.outcomes.tables import OutcomeRow
from service.readmodel.outcome_kinds import OutcomeKind
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind

OUTCOMES_CHANGED: Final = ChangeKind("outcomes")
"""Identifiers of accounts of which an outcome was reported or retracted."""
KEY: Final = ("account_id", "product_id", "kind", "occurred_at")
"""What makes two reports one, beside their identifiers."""
KEYS_PER_QUERY: Final = 200
_OUTCOMES: Final = OutcomeRow.__table__


@dataclass(frozen=True)
class Decision:
    """What outcomes need of a decision. offers: by product, the line and the category that it had."""

    account_id: str | None
    decided_at: datetime
    channel: str | None
    placement: str | None
    offers: Mapping[str, tuple[str | None, str | None]]


def read_decisions(connection: Connection, decision_ids: Iterable[str]) -> dict[str, Decision]:
    """Return those of some decisions that are known."""
    known: dict[str, Decision] = {}
    for chunk in in_chunks(list(dict.fromkeys(decision_ids))):
        offers: dict[str, dict[str, tuple[str | None, str | None]]] = {}
        columns = (DecisionOffer.decision_id, DecisionOffer.product_id, DecisionOffer.line, DecisionOffer.category)
        named = select(*columns).where(DecisionOffer.decision_id.in_(chunk))
        for decision_id, product_id, line, category in connection.execute(named):
            offers.setdefault(decision_id, {})[product_id] = (line, category)
        for row in connection.execute(select(DecisionRow.__table__).where(DecisionRow.decision_id.in_(chunk))):
            of_decision = offers.get(row.decision_id, {})
            known[row.decision_id] = Decision(row.account_id, row.decided_at, row.channel, row.placement, of_decision)
    return known


def known_accounts(connection: Connection, account_ids: Iterable[str]) -> set[str]:
    """Return those of some accounts that are stored."""
    wanted = list(dict.fromkeys(account_ids))
    return {
        account_id
        for chunk in in_chunks(wanted)
        for account_id in connection.scalars(select(Account.account_id).where(Account.account_id.in_(chunk)))
    }


def near_match(connection: Connection, account_id: str) -> str | None:
    """Return the one stored account whose identifier differs in upper and lower case and in spaces alone."""
    plain = func.lower(func.replace(Account.account_id, " ", ""))
    wanted = account_id.replace(" ", "").lower()
    matches = connection.scalars(select(Account.account_id).where(plain == wanted).limit(2)).all()
    return matches[0] if len(matches) == 1 else None


def products_now(connection: Connection, product_ids: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    """Return the line and the category of those of some products that are stored."""
    columns = (Product.product_id, Product.line, Product.category)
    return {
        product_id: (line or None, category or None)
        for chunk in in_chunks(list(dict.fromkeys(product_ids)))
        for product_id, line, category in connection.execute(select(*columns).where(Product.product_id.in_(chunk)))
    }


def stored_before(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> tuple[set[str], dict[Any, str]]:
    """Return the identifiers of some outcomes that are stored; and by ``KEY`` those of equal ones.

    What could not be placed before is deleted: the same report may be placed now, and is stored anew.
    """
    ids: set[str] = set()
    equal: dict[Any, str] = {}
    unplaced: list[str] = []
    columns = [_OUTCOMES.c[name] for name in KEY]
    for begin in range(0, len(rows), KEYS_PER_QUERY):
        part = rows[begin : begin + KEYS_PER_QUERY]
        is_same = OutcomeRow.outcome_id.in_([row["outcome_id"] for row in part])
        is_equal = tuple_(*columns).in_([tuple(row[name] for name in KEY) for row in part])
        query = select(OutcomeRow.outcome_id, OutcomeRow.is_placed, *columns).where(or_(is_same, is_equal))
        for outcome_id, is_placed, *key in connection.execute(query):
            if is_placed:
                ids.add(outcome_id)
                equal[tuple(key)] = outcome_id
            else:
                unplaced.append(outcome_id)
    for chunk in in_chunks(unplaced):
        connection.execute(delete(OutcomeRow).where(OutcomeRow.outcome_id.in_(chunk)))
    return ids, equal


def add_outcomes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store outcomes that are not stored yet."""
    if rows:
        connection.execute(insert(OutcomeRow), [dict(row) for row in rows])


class Retracted(NamedTuple):
    """An outcome that counted until now."""

    account_id: str
    product_id: str
    is_acceptance: bool


def retract(connection: Connection, outcome_id: str, now: datetime) -> Retracted | None:
    """Note that an outcome is retracted, once; raises UnknownOutcome. Return None for one that did not count."""
    is_row = OutcomeRow.outcome_id == outcome_id
    row = connection.execute(select(_OUTCOMES).where(is_row)).one_or_none()
    if row is None:
        raise UnknownOutcome(outcome_id)
    if row.retracted_at is not None:
        return None
    connection.execute(update(OutcomeRow).where(is_row).values(retracted_at=now))
    if row.account_id is None or not row.is_placed or row.is_automated:
        return None
    return Retracted(row.account_id, row.product_id, row.kind == OutcomeKind.ACCEPT)


def list_rows(connection: Connection, after: str | None, limit: int, **conditions: str | bool | None) -> Sequence[Any]:
    """Return outcomes in the order of their identifiers, from the one after ``after`` on.

    conditions: by column, the value that it has; None for any.
    """
    query = select(_OUTCOMES).order_by(OutcomeRow.outcome_id).limit(limit)
    for name, value in conditions.items():
        if value is not None:
            query = query.where(_OUTCOMES.c[name] == value)
    if after is not None:
        query = query.where(OutcomeRow.outcome_id > after)
    return connection.execute(query).all()


def erase_outcomes(connection: Connection, account_id: str) -> int:
    """Forget whose outcomes were, and what was said in words; return their number. Counts of them stay."""
    values = {"account_id": None, "note": None, "decision_id": None}
    return connection.execute(update(OutcomeRow).where(OutcomeRow.account_id == account_id).values(**values)).rowcount
