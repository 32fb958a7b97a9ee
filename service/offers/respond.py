"""From requests to the bytes of their responses: gather, decide, encode, count, record."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import orjson

from service.auth.keys import Principal
from service.base.arbitration_options import ArbitrationOptions
from service.base.ids import new_decision_id
from service.base.telemetry import Telemetry
from service.offers.decide import Decision, decide, decide_many
from service.offers.errors import NothingToOffer
from service.offers.explanation import Offer
from service.offers.gathering import gather
from service.offers.no_offer import NO_OFFER_MEANINGS, NoOffer, NoOfferCode
from service.offers.request import OfferRequest
from service.offers.shadow import Shadow
from service.readmodel.contact_policies import Contact, ContactProduct
from service.readmodel.contacts import Contacts
from service.readmodel.product_index import ProductIndex
from service.sync.artifact_holder import ArtifactHolder
from service.sync.loaded_artifact import LoadedArtifact

CHECKOUT: Final = "checkout"
"""The placement that needs the artifact alone."""


RecordedOffer = tuple[int, str, str, float | None, int | None, float | None, float | None, float | None]
"""Rank, product and source of an offer; propensity, value in minor units, context, lever and priority, or None.

Plain values in a plain tuple: decisions wait for a while, and the garbage collector does not look at these.
"""


class Recorded(NamedTuple):
    """A decision to keep. request and answer: JSON, the bytes that came and the bytes that were sent.

    channel, placement: what the request names. products: the products as they were when it was decided.
    """

    decision_id: str
    account_id: str | None
    decided_at: datetime
    key_id: str | None
    channel: str | None
    placement: str | None
    request: bytes
    answer: bytes
    offers: Sequence[RecordedOffer]
    products: ProductIndex

    def product(self, product_id: str) -> ContactProduct:
        """Return an offered product with its line and category."""
        row = self.products.row_of(product_id)
        assert row is not None  # noqa: S101  It was offered by its row.
        info = self.products.info(row)
        return ContactProduct(info.product_id, info.line, info.category)

    @property
    def contact(self) -> Contact:
        """What limits count of it."""
        products = [self.product(product_id) for _, product_id, *_ in self.offers]
        return Contact(self.decided_at, self.decision_id, self.channel, products)


class DecisionRecorder(Protocol):
    """Where decisions go that were sent."""

    @property
    def is_behind(self) -> bool:
        """Tell whether callers that can wait should."""

    def record(self, decision: Recorded) -> None:
        """Keep a decision; neither blocks nor fails."""


class Call(NamedTuple):
    """One request as it came. body: what was asked, as JSON, for the decision log."""

    principal: Principal
    wanted: OfferRequest
    body: bytes


class ResponseContext(NamedTuple):
    """What responses that are made together share.

    sequence: the newest change that was applied before the facts were gathered: the response reflects all up to it.
    """

    loaded: LoadedArtifact
    sequence: int
    now: datetime
    is_database_up: bool

    def is_degraded(self, wanted: OfferRequest) -> bool:
        """Tell whether something is missing that the response should rest on."""
        return self.loaded.version is None or not (self.is_database_up or wanted.placement == CHECKOUT)


class Recommender:
    """Answers requests for offers from memory. is_database_up: tells whether the database answers."""

    def __init__(
        self,
        holder: ArtifactHolder,
        recorder: DecisionRecorder,
        shadow: Shadow | None,
        telemetry: Telemetry,
        now: Callable[[], datetime],
        is_database_up: Callable[[], bool],
        options: ArbitrationOptions,
    ) -> None:
        self._holder = holder
        self._recorder = recorder
        self._shadow = shadow
        self._telemetry = telemetry
        self._now = now
        self._is_database_up = is_database_up
        self._options = options

    @property
    def is_behind(self) -> bool:
        """Tell whether callers that can wait should, so that no decision is lost."""
        return self._recorder.is_behind

    def respond_many(self, calls: Sequence[Call]) -> list[bytes | Exception]:
        """Return a ``RecommendationAnswer`` for each call, or what failed; raises NothingToOffer.

        Whatever is raised, nothing is recorded. The decision log keeps the very bytes that are returned.
        """
        loaded = self._holder.current
        if loaded is None:
            raise NothingToOffer
        contacts = loaded.state.part(Contacts)
        if contacts.counts_decisions and has_repetition(calls, contacts):
            # What an account is offered counts for its next request, even if both came together.
            return [answer for call in calls for answer in self._respond_together(loaded, [call])]
        return self._respond_together(loaded, calls)

    def respond_one(self, call: Call, recorder: DecisionRecorder) -> bytes:
        """Return the ``RecommendationAnswer`` for a call whose decision goes elsewhere than into the decision log.

        Raises NothingToOffer.
        """
        loaded = self._holder.current
        if loaded is None:
            raise NothingToOffer
        context = self._context(loaded)
        facts = gather(loaded.state, [call.wanted], self._options, now=context.now)
        return self._send(context, facts.products, call, decide(facts), recorder)

    def _context(self, loaded: LoadedArtifact) -> ResponseContext:
        return ResponseContext(loaded, loaded.state.sequence, self._now(), self._is_database_up())

    def _respond_together(self, loaded: LoadedArtifact, calls: Sequence[Call]) -> list[bytes | Exception]:
        context = self._context(loaded)
        facts = gather(loaded.state, [call.wanted for call in calls], self._options, now=context.now)
        decided = zip(calls, decide_many(facts), strict=True)
        return [self._try_to_send(context, facts.products, call, decision) for call, decision in decided]

    def _try_to_send(
        self, context: ResponseContext, products: ProductIndex, call: Call, decision: Decision
    ) -> bytes | Exception:
        try:
            return self._send(context, products, call, decision, self._recorder)
        except Exception as error:  # It belongs to this call alone, whose request then fails with it.
            return error

    def _send(
        self,
        context: ResponseContext,
        products: ProductIndex,
        call: Call,
        decision: Decision,
        recorder: DecisionRecorder,
    ) -> bytes:
        """Encode a decision, count it, and record it unless it is a dry run. Recording is last, since it can't fail."""
        wanted, key_id = call.wanted, call.principal.key_id
        decision_id = None if wanted.is_dry_run else new_decision_id(context.now)
        body = encode(context, wanted, decision, decision_id, is_public=call.principal.is_public)
        self._telemetry.count_answer(decision.source, context.is_degraded(wanted))
        for reason, n in decision.withheld.items():
            self._telemetry.count_withheld(reason, n)
        if decision.unknown_products:
            self._telemetry.unknown_products.inc(len(decision.unknown_products))
        if self._shadow is not None:
            self._shadow.consider(wanted, [offer["product_id"] for offer in decision.offers], context.now)
        if decision_id is not None:
            named = (wanted.channel, wanted.placement)
            recorded = (decision_id, wanted.account_id, context.now, key_id, *named, call.body, body)
            kept = Recorded(*recorded, recorded_offers(decision.offers), products)
            recorder.record(kept)
            contacts = context.loaded.state.part(Contacts)
            if contacts.counts_decisions and decision.offers and wanted.account_id is not None:
                contacts.note(wanted.account_id, kept.contact)
        return body


def has_repetition(calls: Sequence[Call], contacts: Contacts) -> bool:
    """Tell whether several calls are for accounts that are counted together."""
    account_ids = [call.wanted.account_id for call in calls if call.wanted.account_id is not None]
    counted = map(contacts.top_of, account_ids) if contacts.counts_groups else account_ids
    return len(set(counted)) < len(account_ids)


def recorded_offers(offers: Sequence[Offer]) -> tuple[RecordedOffer, ...]:
    """Return what is kept of offers beside the answer."""
    recorded: list[RecordedOffer] = []
    for offer in offers:
        named, figures = (offer["rank"], offer["product_id"], str(offer["source"])), offer["arbitration"]
        if figures is None:
            recorded.append((*named, None, None, None, None, None))
        else:
            factors = (figures["propensity"], figures["value_minor"], figures["context"], figures["lever"])
            recorded.append((*named, *factors, figures["priority"]))
    return tuple(recorded)


def encode(
    context: ResponseContext,
    wanted: OfferRequest,
    decision: Decision,
    decision_id: str | None,
    *,
    is_public: bool = False,
) -> bytes:
    """Encode a ``RecommendationAnswer``. is_public: leave out what tells of the business; see the route."""
    return orjson.dumps(
        {
            "decision_id": decision_id,
            "account_id": wanted.account_id,
            "account_known": None if wanted.account_id is None else decision.is_known,
            "generated_at": context.now,
            "artifact_version": context.loaded.version,
            "sequence": 0 if is_public else context.sequence,
            "source": decision.source,
            "strategy": decision.strategy,
            "is_control": decision.is_control,
            "degraded": context.is_degraded(wanted),
            "offers": [{**offer, "arbitration": None} for offer in decision.offers] if is_public else decision.offers,
            "no_offer": _no_offer(decision, is_public=is_public),
            "withheld": {} if is_public else {str(reason): n for reason, n in decision.withheld.items()},
            "considered": None if is_public else decision.considered,
            "withheld_by_policy": {} if is_public else decision.withheld_by_policy,
            "unknown_products": decision.unknown_products,
            "unknown_filters": decision.unknown_filters,
        },
        option=orjson.OPT_UTC_Z,
    )


def _no_offer(decision: Decision, *, is_public: bool) -> NoOffer | None:
    """Return why there is no offer; to keys that anybody can read, only that there is none."""
    if decision.no_offer is None or not is_public:
        return decision.no_offer
    return {"code": NoOfferCode.ALL_WITHHELD, "text": NO_OFFER_MEANINGS[NoOfferCode.ALL_WITHHELD], "ask_again_at": None}
