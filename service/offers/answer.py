"""From what is asked to the bytes of an answer: gather, decide, count, encode, record."""

import orjson

from service.auth.keys import Principal
from service.offers.decide import decide
from service.offers.decision_id import new_decision_id
from service.offers.errors import NothingToOffer
from service.offers.facts import Asked, gather
from service.state import State


def answer(state: State, principal: Principal, asked: Asked, request: bytes) -> bytes:
    """Answer one request with a ``RecommendationAnswer``; raises NothingToOffer.

    request: what was asked, as JSON, for the ledger. The ledger keeps the very bytes that are returned.
    """
    live = state.holder.live
    if live is None:
        raise NothingToOffer
    facts = gather(live.shelf, live.state, asked)
    decision = decide(facts)
    is_degraded = live.version is None or not state.database_is_up()
    now = state.now()
    decision_id = None if asked.is_dry_run else new_decision_id(now)
    body = orjson.dumps(
        {
            "decision_id": decision_id,
            "account_id": asked.account_id,
            "account_known": None if asked.account_id is None else facts.is_account_known,
            "generated_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "artifact_version": live.version,
            "sequence": live.state.sequence,
            "source": decision.source,
            "degraded": is_degraded,
            "offers": decision.offers,
            "withheld": {str(reason): n for reason, n in decision.withheld.items()},
        }
    )
    state.telemetry.count_answer(decision.source, is_degraded)
    for reason, n in decision.withheld.items():
        state.telemetry.count_withheld(reason, n)
    if decision_id is not None:
        state.ledger.record(decision_id, asked.account_id, now, principal.key_id, request, body)
    if state.shadow is not None:
        state.shadow.consider(asked, [offer["product_id"] for offer in decision.offers])
    return body
