"""Records outcomes: each is placed by its decision or its account, counts once, or is kept apart."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from service.base.ids import new_decision_id
from service.outcomes.acceptances import Acceptance
from service.outcomes.queries import (
    KEY,
    OUTCOMES_CHANGED,
    Decision,
    add_outcomes,
    known_accounts,
    near_match,
    products_now,
    read_decisions,
    stored_before,
)
from service.outcomes.schemas import OutcomeIn, OutcomeStatus
from service.readmodel.outcome_kinds import OutcomeKind
from service.storage.changes import ChangeLog

MAX_AHEAD: Final = timedelta(days=1)
"""Clocks differ; what is further in the future is wrong."""
MAX_NEAR_MATCHES: Final = 20
"""Of one request: each reads all accounts."""
Result = dict[str, Any]
"""An ``OutcomeResult``."""


def record_outcomes(
    connection: Connection, given: Mapping[int, OutcomeIn], by: str, now: datetime, changes: ChangeLog
) -> tuple[dict[int, Result], list[Acceptance]]:
    """Store outcomes and return what became of each, by index, and what was accepted by them."""
    placing = _Placing(connection, given.values())
    results: dict[int, Result] = {}
    rows: dict[int, dict[str, Any]] = {}
    for index, outcome in given.items():
        error, row = placing.row_of(outcome, by, now)
        if error is not None and not row:
            results[index] = result(index, OutcomeStatus.REJECTED, None, [error])
            continue
        status = OutcomeStatus.STORED if error is None else OutcomeStatus.UNPLACED
        results[index] = result(index, status, row["outcome_id"], [] if error is None else [error])
        rows[index] = row
    ids, equal = stored_before(connection, list(rows.values()))
    new: list[dict[str, Any]] = []
    for index, row in rows.items():
        key = tuple(row[name] for name in KEY)
        is_known = row["outcome_id"] in ids
        # Without an account no two reports are the same one.
        if is_known or (row["account_id"] is not None and key in equal):
            first = row["outcome_id"] if is_known else equal[key]
            results[index] = result(index, OutcomeStatus.DUPLICATE, first, [])
            continue
        ids.add(row["outcome_id"])
        equal[key] = row["outcome_id"]
        new.append(row)
    add_outcomes(connection, new)
    changes.touch(OUTCOMES_CHANGED, {row["account_id"] for row in new if row["is_placed"]})
    return results, [_acceptance(row) for row in new if _is_acceptance(row)]


def _is_acceptance(row: Mapping[str, Any]) -> bool:
    return row["kind"] == OutcomeKind.ACCEPT and row["is_placed"] and not row["is_automated"]


def _acceptance(row: Mapping[str, Any]) -> Acceptance:
    return Acceptance(*(row[name] for name in Acceptance._fields))


def result(index: int, status: OutcomeStatus, outcome_id: str | None, errors: Sequence[tuple[str, str]]) -> Result:
    """Return an ``OutcomeResult``. errors: field and reason."""
    listed = [{"field": field, "reason": reason} for field, reason in errors]
    return {"index": index, "status": status, "outcome_id": outcome_id, "errors": listed}


class _Placing:
    """What the outcomes of a request name, looked up together."""

    def __init__(self, connection: Connection, outcomes: Any) -> None:
        given: list[OutcomeIn] = list(outcomes)
        self._connection = connection
        self._decisions = read_decisions(connection, [each.decision_id for each in given if each.decision_id])
        named = [each.account_id for each in given if each.account_id]
        decided = [decision.account_id for decision in self._decisions.values() if decision.account_id]
        self._accounts = known_accounts(connection, [*named, *decided])
        self._products = products_now(connection, [each.product_id for each in given])
        self._n_near = 0

    def row_of(self, outcome: OutcomeIn, by: str, now: datetime) -> tuple[tuple[str, str] | None, dict[str, Any]]:
        """Return what is wrong, field and reason, and what is stored: nothing where it is rejected."""
        occurred_at = outcome.occurred_at or now
        if occurred_at > now + MAX_AHEAD:
            return ("occurred_at", "is more than a day in the future"), {}
        decision = self._decisions.get(outcome.decision_id or "")
        if decision is not None and outcome.account_id not in (None, decision.account_id):
            return ("account_id", "is not the account that the decision was for"), {}
        account_id = outcome.account_id or (decision.account_id if decision else None)
        error = self._misplaced(outcome, decision, account_id)
        line, category = self._kinds_of(outcome, decision)
        return error, {
            "outcome_id": outcome.outcome_id or new_decision_id(now),
            "decision_id": outcome.decision_id,
            "account_id": account_id,
            "product_id": outcome.product_id,
            "kind": str(outcome.outcome),
            "line": line,
            "category": category,
            "channel": outcome.channel or (decision.channel if decision else None),
            "placement": outcome.placement or (decision.placement if decision else None),
            "position": outcome.position,
            "reason": None if outcome.reason is None else str(outcome.reason),
            "note": outcome.note,
            "value_minor": outcome.value_minor,
            "currency": outcome.currency,
            "is_automated": outcome.automated,
            "is_placed": error is None,
            "occurred_at": occurred_at,
            "received_at": now,
            "received_by": by,
            "retracted_at": None,
        }

    def _misplaced(
        self, outcome: OutcomeIn, decision: Decision | None, account_id: str | None
    ) -> tuple[str, str] | None:
        if outcome.decision_id is not None and decision is None:
            return "decision_id", "is not known: mistyped, older than decisions are kept, or not yet written"
        if decision is not None and outcome.product_id not in decision.offers:
            return "product_id", "was not offered by the decision"
        if account_id is None:
            return "decision_id", "was for nobody in particular: name the account with account_id instead"
        if account_id not in self._accounts:
            return "account_id", f"is not known{self._hint(account_id)}"
        return None

    def _hint(self, account_id: str) -> str:
        self._n_near += 1
        near = near_match(self._connection, account_id) if self._n_near <= MAX_NEAR_MATCHES else None
        return f"; did you mean {near!r}?" if near else ""

    def _kinds_of(self, outcome: OutcomeIn, decision: Decision | None) -> tuple[str | None, str | None]:
        if decision is not None and outcome.product_id in decision.offers:
            return decision.offers[outcome.product_id]
        return self._products.get(outcome.product_id, (None, None))
