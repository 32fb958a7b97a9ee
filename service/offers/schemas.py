"""What goes in and out of recommendations, as the OpenAPI document shows it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from service.base.arbitration_options import STRATEGY_MEANINGS, Strategy
from service.base.examples import ACCOUNT_ID, ARTIFACT_VERSION, OTHER_PRODUCT_ID, PRODUCT_ID
from service.offers.considered import OUTCOME_MEANINGS, Outcome
from service.offers.no_offer import NO_OFFER_MEANINGS, NoOfferCode
from service.offers.reasons import REASON_MEANINGS, SOURCE_MEANINGS, WITHHELD_MEANINGS, ReasonCode, Source, WithheldCode
from service.offers.request import OfferRequest
from service.offers.request_fields import (
    MAX_IDENTIFIER,
    BasketItem,
    FilterFields,
    FilterParameters,
    to_whole_number,
)
from service.readmodel.product_values import BASES
from service.readmodel.relation import RELATION_MEANINGS, Relation

MAX_LIMIT = 50
DEFAULT_LIMIT = 3
MAX_ACCOUNTS = 1000
MAX_AMONG = 500
AMONG = (
    "The only candidates, such as a campaign's list or a category page. Each comes back once: among the offers, "
    "ranked, or in `considered` with the reason why it is withheld. `limit` and the limits on similar products do not "
    "apply; what the model does not know is in `unknown_products`."
)
EXPLAIN = "`full`: `considered` tells what became of every candidate, with the factors of its priority."
CHANNEL = (
    "By which channel the offers will reach the account, in your own words, such as `email`. Limits of a channel hold "
    "for requests that don't name any, too: those might be for it."
)
INCLUDE_OWNED = (
    "Rank what the account owns among the other candidates, by how likely it is to buy it again, without waiting for a "
    "consumable to be due. Products that a policy of the type `repurchase` calls `durable` stay withheld."
)
DRY_RUN = "Only look: the decision is not recorded, and has no identifier."

Identifier = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER)]


Placement = Annotated[str, Field(min_length=1, max_length=64)]
Channel = Annotated[str, Field(min_length=1, max_length=64)]
ContextKey = Annotated[str, Field(min_length=1, max_length=64)]
ContextText = Annotated[str, Field(max_length=200)]
ContextInteger = Annotated[StrictInt, Field(ge=-(2**53), le=2**53)]
ContextNumber = Annotated[StrictFloat, Field(allow_inf_nan=False)]
CONTEXT = "What else is known of the request: a flat object. Policies may ask for its values."
ContextValue = ContextText | StrictBool | ContextInteger | ContextNumber | None
Context = dict[ContextKey, ContextValue]


Among = Annotated[list[Identifier], Field(min_length=1, max_length=MAX_AMONG)]


class AccountQuery(FilterParameters):
    """The parameters of a request for one account."""

    model_config = ConfigDict(frozen=True)

    account_id: Identifier = Field(description="Your identifier of the account.", examples=[ACCOUNT_ID])
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many offers to return.")
    channel: Channel | None = Field(default=None, description=CHANNEL)
    dry_run: bool = Field(default=False, description=DRY_RUN)
    explain: Literal["full"] | None = Field(default=None, description=EXPLAIN)
    include_owned: bool = Field(default=False, description=INCLUDE_OWNED)


class RecommendationRequest(FilterFields):
    """Who is asked for, what is in the basket, or both. With neither, the most popular products are offered."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        json_schema_extra={
            "examples": [
                {"account_id": ACCOUNT_ID, "limit": 3},
                {"basket": [PRODUCT_ID], "exclude": [OTHER_PRODUCT_ID], "placement": "checkout", "limit": 5},
                {
                    "account_id": ACCOUNT_ID,
                    "basket": [{"product_id": PRODUCT_ID, "quantity": 2}],
                    "categories": ["Coffee"],
                    "price_max_minor": 5000,
                    "attributes": {"in_stock": True},
                    "fields": ["image_url", "line"],
                },
            ]
        },
    )

    account_id: Identifier | None = Field(default=None, description="Your identifier of the account.")
    basket: list[Identifier | BasketItem] = Field(
        default_factory=list,
        max_length=200,
        description="Products in the basket: identifiers, or objects with `product_id` and `quantity`. Those that the "
        "model does not know are passed over, and listed in `unknown_products`.",
    )
    exclude: list[Identifier] = Field(
        default_factory=list, max_length=1000, description="Products that must not be offered."
    )
    among: Among | None = Field(default=None, description=AMONG)
    explain: Literal["full"] | None = Field(default=None, description=EXPLAIN)
    placement: Placement | None = Field(
        default=None,
        description="Where the offers will be shown, in your own words. At the `checkout` an answer needs memory "
        "alone, and is `degraded` only if there is no good artifact.",
    )
    channel: Channel | None = Field(default=None, description=CHANNEL)
    limit: Annotated[int, BeforeValidator(to_whole_number)] = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many offers to return."
    )
    context: Context = Field(default_factory=dict, max_length=32, description=CONTEXT)
    dry_run: StrictBool = Field(default=False, description=DRY_RUN)
    include_owned: StrictBool = Field(default=False, description=INCLUDE_OWNED)

    def wanted(self) -> OfferRequest:
        """Return what decisions read."""
        return OfferRequest(
            self.account_id,
            self.limit,
            BasketItem.product_ids(self.basket),
            self.exclude,
            self.dry_run,
            self.placement,
            self.offer_filter(),
            tuple(dict.fromkeys(self.fields or ())),
            self.context,
            self.among or (),
            self.explain is not None,
            self.channel,
            self.include_owned,
        )


class BatchRequest(FilterFields):
    """Accounts that are asked for together, each for its own list."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        json_schema_extra={"examples": [{"account_ids": [ACCOUNT_ID], "limit": 3}]},
    )

    account_ids: list[Identifier] = Field(
        min_length=1, max_length=MAX_ACCOUNTS, description="Your identifiers of the accounts, answered in this order."
    )
    exclude: list[Identifier] = Field(
        default_factory=list, max_length=1000, description="Products that must not be offered to any of them."
    )
    among: Among | None = Field(default=None, description=AMONG)
    placement: Placement | None = Field(
        default=None, description="Where the offers will be shown, in your own words, such as `newsletter`."
    )
    channel: Channel | None = Field(default=None, description=CHANNEL)
    limit: Annotated[int, BeforeValidator(to_whole_number)] = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many offers to return for each account."
    )
    context: Context = Field(default_factory=dict, max_length=32, description=CONTEXT)
    dry_run: StrictBool = Field(default=False, description=DRY_RUN)
    include_owned: StrictBool = Field(default=False, description=INCLUDE_OWNED)


class ReasonOut(BaseModel):
    """One reason of an offer."""

    code: ReasonCode = Field(
        description="Stable code: " + "; ".join(f"`{code}`: {text}" for code, text in REASON_MEANINGS.items()) + "."
    )
    text: str = Field(description="The reason in words, to read out to the customer.")
    product_ids: list[str] = Field(description="The owned or basket products behind the reason, the strongest first.")


class LeverPartOut(BaseModel):
    """A goal or a weight that raises or lowers an offer."""

    kind: str = Field(description="`goal` or `weight`.")
    key: str = Field(description="The goal's id; or the product, line or category that is weighted.")
    name: str
    percent: float


class ArbitrationOut(BaseModel):
    """Why an offer ranks where it does: `priority` is `propensity` * `value_minor` * `context` * `lever`."""

    propensity: float = Field(
        description="P(the account buys it, or buys it again, within the artifact's horizon), calibrated."
    )
    value_minor: int = Field(description="What one unit is worth: its expected margin, minor units of `currency`.")
    value_basis: str = Field(
        description="What `value_minor` rests on: "
        + "; ".join(f"`{name}`: {meaning}" for name, meaning in BASES.items())
        + "."
    )
    currency: str | None = Field(description="The reporting currency, ISO 4217; null where none is known.")
    context: float = Field(description="1: reserved for need signals, sales stage and timing.")
    lever: float = Field(description="What goals and weights multiply it by; 1 without any.")
    lever_parts: list[LeverPartOut] = Field(
        description="The goals and weights behind the lever of an offer, whose percentages add up, within its bound."
    )
    priority: float


class OfferOut(BaseModel):
    """One offered product."""

    rank: int = Field(ge=1, description="Position in the list, from 1.")
    product_id: str = Field(examples=[OTHER_PRODUCT_ID])
    name: str
    source: Source = Field(description="What speaks for it, as in `source` of the answer.")
    relation: Relation | None = Field(
        description="What it is to `source_product_id`: "
        + "; ".join(f"`{relation}`: {meaning}" for relation, meaning in RELATION_MEANINGS.items())
        + ". Null where no relationship is clear: substitutes are never offered."
    )
    source_product_id: str | None = Field(description="The owned or basket product that speaks most for this offer.")
    score: float = Field(description="Ranks offers of one source; not comparable across sources.")
    price_minor: int | None = Field(description="Price in minor units of the currency, such as cents, if known.")
    currency: str | None = Field(description="ISO 4217 code, if known.")
    reasons: list[ReasonOut] = Field(min_length=1)
    attributes: dict[str, Any] = Field(
        description="What `fields` of the request names, null where the product has no such value; empty without it.",
        examples=[{"image_url": "https://shop.example/grinder.jpg"}],
    )
    valid_until: datetime | None = Field(
        description="Until when it is good: for `NEXTOFFER_OFFER_VALID_HOURS`, a week, or until its product's "
        "`available_until`. An offer is no reservation: see `POST /v1/reservations`."
    )
    arbitration: ArbitrationOut | None = Field(
        description="The factors of its priority; null where the artifact has no propensities, and for storefront keys."
    )


class ConsideredOut(BaseModel):
    """What became of one candidate."""

    product_id: str = Field(examples=[OTHER_PRODUCT_ID])
    source: Source = Field(description="What speaks for it.")
    outcome: Outcome = Field(
        description="; ".join(f"`{outcome}`: {meaning}" for outcome, meaning in OUTCOME_MEANINGS.items()) + "."
    )
    rank: int | None = Field(description="Its place among the offers; null if it is not offered.")
    reason: WithheldCode | None = Field(description="Why it is withheld, as in `withheld`; null otherwise.")
    policy_id: str | None = Field(description="The stored policy that withholds it; null otherwise.")
    until: datetime | None = Field(
        description="When a policy of type `limit`, `suppression` or `cap` ceases to withhold it, or it may be bought "
        "again; else null."
    )
    arbitration: ArbitrationOut | None = Field(
        description="As in the offers; null for what the account owns and may not buy again, too."
    )


class NoOfferOut(BaseModel):
    """Why nothing is offered."""

    code: NoOfferCode = Field(description="; ".join(f"`{code}`: {text}" for code, text in NO_OFFER_MEANINGS.items()))
    text: str = Field(description="The same in words.")
    ask_again_at: datetime | None = Field(
        description="When a product becomes available, or ceases to be; or when a limit allows an offer again, or a "
        "product may be bought again. Null where no time is known."
    )


class RecommendationAnswer(BaseModel):
    """Offers, and where they come from."""

    decision_id: str | None = Field(
        description="Identifies this answer in the decision log: a version 7 UUID; null after `dry_run`.",
        examples=["01932f0c-5d5e-7cc3-9c1a-3f6f2d1c0b9a"],
    )
    account_id: str | None = Field(description="As it was asked.", examples=[ACCOUNT_ID])
    account_known: bool | None = Field(
        description="Whether the account has a history, in the artifact or since; null if the request names none."
    )
    generated_at: datetime = Field(description="When the answer was made, UTC.")
    artifact_version: str | None = Field(
        description="The trained artifact behind the answer; null while there is none.", examples=[ARTIFACT_VERSION]
    )
    sequence: int = Field(
        description="A change, numbered as in `X-Sequence`: the answer reflects it and all changes before it."
    )
    source: Source = Field(
        description="Where the first offer comes from: "
        + "; ".join(f"`{source}`: {text}" for source, text in SOURCE_MEANINGS.items())
        + ". When a source runs dry the list is filled from the next one; each offer's reasons tell its own."
    )
    strategy: Strategy = Field(
        description="What the order of offers follows: "
        + "; ".join(f"`{strategy}`: {text}" for strategy, text in STRATEGY_MEANINGS.items())
        + "."
    )
    is_control: bool = Field(
        description="Whether the account is decided without goals and weights this quarter, so that what these bring "
        "can be measured (`NEXTOFFER_GOAL_CONTROL_SHARE`)."
    )
    degraded: bool = Field(
        description="True if something was missing: there is no good artifact, or the database does not answer."
    )
    offers: list[OfferOut] = Field(
        description="Best first; upgrades before all else, unless configured otherwise, then what is curated to be "
        "promoted. What may not be offered was withheld before the list was cut, so it is shorter than `limit` only "
        "when products run out, when the rest is below the floor, or if the account objects to marketing."
    )
    no_offer: NoOfferOut | None = Field(description="Why there is no offer; null if there is any.")
    withheld: dict[WithheldCode, int] = Field(
        description="How many candidates were withheld until the list was full, by reason: "
        + "; ".join(f"`{code}`: {text}" for code, text in WITHHELD_MEANINGS.items())
        + "."
    )
    considered: list[ConsideredOut] | None = Field(
        description="Every candidate once, in the order in which they compete: with `explain` or `among`, else null. "
        "Null for storefront keys."
    )
    withheld_by_policy: dict[str, int] = Field(
        default_factory=dict,
        description="How many of the `withheld` each policy withheld, by `policy_id`. A candidate counts for the first "
        "reason against it: reasons of the service first, then eligibility, applicability, suitability and limits.",
        examples=[{"no-alcohol-for-schools": 3}],
    )
    unknown_products: list[str] = Field(
        description="Products of `basket`, `exclude` and `among` that the model does not know: misspelt, or new since "
        "training."
    )
    unknown_filters: dict[str, list[str]] = Field(
        description="By field, the `lines` and `categories` that no product has now, and the names of `attributes` "
        "that no product has with such a value. Nothing can pass a filter whose every value is unknown."
    )


class BatchAnswer(BaseModel):
    """One answer per account."""

    items: list[RecommendationAnswer] = Field(description="In the order in which the accounts were named.")
