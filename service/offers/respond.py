"""From what is asked to the bytes of an answer: gather, decide, count, encode, record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import orjson

from service.auth.keys import Principal
from service.base.clock import Clock
from service.base.ids import new_decision_id
from service.base.telemetry import Telemetry
from service.offers.decide import Decision, decide
from service.offers.errors import NothingToOffer
from service.offers.facts import OfferRequest, gather
from service.offers.listed import decide_listed
from service.offers.shadow import Shadow
from service.sync.artifact_holder import ArtifactHolder, LoadedArtifact

CHECKOUT: Final = "checkout"
"""The placement that needs the artifact alone."""


class DecisionRecorder(Protocol):
    """What keeps decisions: ``service.decisions.decision_log.DecisionLog``."""

    @property
    def is_behind(self) -> bool:
        """Tell whether whoever can wait should."""

    def record(
        self,
        decision_id: str,
        account_id: str | None,
        decided_at: datetime,
        key_id: str | None,
        request: bytes,
        answer: bytes,
    ) -> None:
        """Queue one decision."""


@dataclass(frozen=True)
class Recommender:
    """What an answer is made with."""

    holder: ArtifactHolder
    decision_log: DecisionRecorder
    telemetry: Telemetry
    shadow: Shadow | None
    clock: Clock
    is_database_up: Callable[[], bool]
    is_up_sell_first: bool


class ResponseContext(NamedTuple):
    """What answers of one moment share."""

    live: LoadedArtifact
    key_id: str
    now: datetime
    is_degraded: bool


def answer(recommender: Recommender, principal: Principal, asked: OfferRequest, request: bytes) -> bytes:
    """Answer one request with a ``RecommendationAnswer``; raises NothingToOffer.

    request: what was asked, as JSON, for the decision log. The decision log keeps the very bytes that are returned.
    """
    live = live_of(recommender)
    facts = gather(live.shelf, live.state, asked, is_up_sell_first=recommender.is_up_sell_first)
    moment = moment_of(recommender, live, principal, asked.placement)
    return render(recommender, moment, asked, request, decide(facts), facts.is_account_known)


def answer_many(
    recommender: Recommender, principal: Principal, wanted: Sequence[OfferRequest], request: bytes
) -> list[bytes]:
    """Answer for many accounts, each as ``answer`` does; ``exclude`` and ``limit`` are the same for all."""
    live = live_of(recommender)
    first = wanted[0]
    listed = decide_listed(
        live.shelf,
        live.state,
        [asked.account_id for asked in wanted if asked.account_id],
        first.exclude,
        first.limit,
        is_up_sell_first=recommender.is_up_sell_first,
    )
    moment = moment_of(recommender, live, principal, first.placement)
    answers = []
    for asked in wanted:
        decision, is_known = listed.get(asked.account_id or ""), True
        if decision is None:
            facts = gather(live.shelf, live.state, asked, is_up_sell_first=recommender.is_up_sell_first)
            decision, is_known = decide(facts), facts.is_account_known
        answers.append(render(recommender, moment, asked, request, decision, is_known))
    return answers


def live_of(recommender: Recommender) -> LoadedArtifact:
    """What answers rest on now; raises NothingToOffer."""
    if recommender.holder.live is None:
        raise NothingToOffer
    return recommender.holder.live


def moment_of(
    recommender: Recommender, live: LoadedArtifact, principal: Principal, placement: str | None
) -> ResponseContext:
    """Note what all answers of this moment share."""
    is_degraded = live.version is None or (placement != CHECKOUT and not recommender.is_database_up())
    return ResponseContext(live, principal.key_id, recommender.clock.now(), is_degraded)


def render(
    recommender: Recommender,
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
    recommender.telemetry.count_answer(decision.source, is_degraded)
    for reason, n in decision.withheld.items():
        recommender.telemetry.count_withheld(reason, n)
    if decision_id is not None:
        recommender.decision_log.record(decision_id, asked.account_id, now, key_id, request, body)
    if recommender.shadow is not None:
        recommender.shadow.consider(asked, [offer["product_id"] for offer in decision.offers])
    return body
