"""From what is asked to the bytes of an answer: gather, decide, count, encode, record."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from service.auth.keys import Principal
from service.base.ids import new_decision_id
from service.offers.decide import Decision, decide
from service.offers.errors import NothingToOffer
from service.offers.facts import OfferRequest, gather
from service.offers.listed import decide_listed
from service.server.state import State
from service.sync.loaded_artifact import LoadedArtifact

CHECKOUT: Final = "checkout"
"""The placement that needs the artifact alone."""


class ResponseContext(NamedTuple):
    """What answers of one moment share."""

    live: LoadedArtifact
    key_id: str
    now: datetime
    is_degraded: bool


def answer(state: State, principal: Principal, asked: OfferRequest, request: bytes) -> bytes:
    """Answer one request with a ``RecommendationAnswer``; raises NothingToOffer.

    request: what was asked, as JSON, for the ledger. The ledger keeps the very bytes that are returned.
    """
    live = live_of(state)
    facts = gather(live.catalogue.products, live.state, asked, is_up_sell_first=state.is_up_sell_first)
    moment = moment_of(state, live, principal, asked.placement)
    return render(state, moment, asked, request, decide(facts), facts.is_account_known)


def answer_many(state: State, principal: Principal, wanted: Sequence[OfferRequest], request: bytes) -> list[bytes]:
    """Answer for many accounts, each as ``answer`` does; ``exclude`` and ``limit`` are the same for all."""
    live = live_of(state)
    first = wanted[0]
    listed = decide_listed(
        live.catalogue.products,
        live.state,
        [asked.account_id for asked in wanted if asked.account_id],
        first.exclude,
        first.limit,
        is_up_sell_first=state.is_up_sell_first,
    )
    moment = moment_of(state, live, principal, first.placement)
    answers = []
    for asked in wanted:
        decision, is_known = listed.get(asked.account_id or ""), True
        if decision is None:
            facts = gather(live.catalogue.products, live.state, asked, is_up_sell_first=state.is_up_sell_first)
            decision, is_known = decide(facts), facts.is_account_known
        answers.append(render(state, moment, asked, request, decision, is_known))
    return answers


def live_of(state: State) -> LoadedArtifact:
    """What answers rest on now; raises NothingToOffer."""
    if state.holder.current is None:
        raise NothingToOffer
    return state.holder.current


def moment_of(state: State, live: LoadedArtifact, principal: Principal, placement: str | None) -> ResponseContext:
    """Note what all answers of this moment share."""
    is_degraded = live.version is None or (placement != CHECKOUT and not state.database_is_up())
    return ResponseContext(live, principal.key_id, state.now(), is_degraded)


def render(
    state: State,
    moment: ResponseContext,
    asked: OfferRequest,
    request: bytes,
    decision: Decision,
    is_account_known: bool,
) -> bytes:
    """Encode a decision, count it, and record it unless it is a dry run."""
    live, key_id, now, is_degraded = moment
    decision_id = None if asked.is_dry_run else new_decision_id(now)
    body = orjson.dumps(
        {
            "decision_id": decision_id,
            "account_id": asked.account_id,
            "account_known": None if asked.account_id is None else is_account_known,
            "generated_at": now,
            "artifact_version": live.version,
            "sequence": live.state.sequence,
            "source": decision.source,
            "degraded": is_degraded,
            "offers": decision.offers,
            "withheld": {str(reason): n for reason, n in decision.withheld.items()},
        },
        option=orjson.OPT_UTC_Z,
    )
    state.telemetry.count_answer(decision.source, is_degraded)
    for reason, n in decision.withheld.items():
        state.telemetry.count_withheld(reason, n)
    if decision_id is not None:
        state.ledger.record(decision_id, asked.account_id, now, key_id, request, body)
    if state.shadow is not None:
        state.shadow.consider(asked, [offer["product_id"] for offer in decision.offers])
    return body
