"""From a request to the bytes of the response: gather, decide, encode, count, record."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import orjson

from service.auth.keys import Principal
from service.base.ids import new_decision_id
from service.base.telemetry import Telemetry
from service.offers.decide import Decision, decide_many
from service.offers.errors import NothingToOffer
from service.offers.facts import gather_many
from service.offers.request import OfferRequest
from service.offers.shadow import Shadow
from service.sync.artifact_holder import ArtifactHolder, LoadedArtifact

CHECKOUT: Final = "checkout"
"""The placement that needs the artifact alone."""


class DecisionRecorder(Protocol):
    """Where decisions go that were sent."""

    def record(
        self,
        decision_id: str,
        account_id: str | None,
        decided_at: datetime,
        key_id: str | None,
        request: bytes,
        answer: bytes,
    ) -> None:
        """Keep a decision; neither blocks nor fails."""


class ResponseContext(NamedTuple):
    """What the responses to one request share. request: what was asked, as JSON, for the decision log."""

    loaded: LoadedArtifact
    key_id: str
    now: datetime
    is_degraded: bool
    request: bytes


class Recommender:
    """Answers requests for offers from memory.

    is_database_up: tells whether the database answers; without it, most responses say that they are degraded.
    """

    def __init__(
        self,
        holder: ArtifactHolder,
        recorder: DecisionRecorder,
        shadow: Shadow | None,
        telemetry: Telemetry,
        now: Callable[[], datetime],
        is_database_up: Callable[[], bool],
        *,
        is_up_sell_first: bool,
    ) -> None:
        self._holder = holder
        self._recorder = recorder
        self._shadow = shadow
        self._telemetry = telemetry
        self._now = now
        self._is_database_up = is_database_up
        self._is_up_sell_first = is_up_sell_first

    def respond(self, principal: Principal, wanted: OfferRequest, request: bytes) -> bytes:
        """Return a ``RecommendationAnswer`` for one account or none; raises NothingToOffer.

        request: what was asked, as JSON. The decision log keeps the very bytes that are returned.
        """
        (response,) = self.respond_many(principal, [wanted.account_id], wanted, request)
        return response

    def respond_many(
        self, principal: Principal, account_ids: Sequence[str | None], wanted: OfferRequest, request: bytes
    ) -> list[bytes]:
        """Return a response for each account, in place of the request's own; everything else is the same for all."""
        loaded = self._holder.live
        if loaded is None:
            raise NothingToOffer
        facts = gather_many(loaded.state, account_ids, wanted, is_up_sell_first=self._is_up_sell_first)
        context = ResponseContext(loaded, principal.key_id, self._now(), self._is_degraded(loaded, wanted), request)
        decided = zip(account_ids, decide_many(facts), facts.is_known, strict=True)
        return [
            self._send(context, wanted._replace(account_id=account_id), decision, is_known)
            for account_id, decision, is_known in decided
        ]

    def _is_degraded(self, loaded: LoadedArtifact, wanted: OfferRequest) -> bool:
        return loaded.version is None or (wanted.placement != CHECKOUT and not self._is_database_up())

    def _send(self, context: ResponseContext, wanted: OfferRequest, decision: Decision, is_known: bool) -> bytes:
        """Encode a decision, count it, and record it unless it is a dry run. Recording comes last: it can't fail."""
        decision_id = None if wanted.is_dry_run else new_decision_id(context.now)
        body = encode(context, wanted, decision, decision_id, is_known)
        self._telemetry.count_answer(decision.source, context.is_degraded)
        for reason, n in decision.withheld.items():
            self._telemetry.count_withheld(reason, n)
        if self._shadow is not None:
            self._shadow.consider(wanted, [offer["product_id"] for offer in decision.offers])
        if decision_id is not None:
            self._recorder.record(decision_id, wanted.account_id, context.now, context.key_id, context.request, body)
        return body


def encode(
    context: ResponseContext, wanted: OfferRequest, decision: Decision, decision_id: str | None, is_known: bool
) -> bytes:
    """Encode a ``RecommendationAnswer``."""
    return orjson.dumps(
        {
            "decision_id": decision_id,
            "account_id": wanted.account_id,
            "account_known": None if wanted.account_id is None else is_known,
            "generated_at": context.now,
            "artifact_version": context.loaded.version,
            "sequence": context.loaded.state.sequence,
            "source": decision.source,
            "degraded": context.is_degraded,
            "offers": decision.offers,
            "withheld": {str(reason): n for reason, n in decision.withheld.items()},
        },
        option=orjson.OPT_UTC_Z,
    )
