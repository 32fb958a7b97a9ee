"""Policies as callers write and read them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from service.base.request_body import PartialUpdate, RequestBody
from service.policies.contact_schemas import CapIn, LimitIn, SuppressionIn
from service.policies.repurchase import Repurchase
from service.readmodel.caps import Cap
from service.readmodel.contact_policies import ContactLimit
from service.readmodel.policies import MAX_MIXED_TERMS, Policy, PolicyScope, PolicySet, PolicyType
from service.readmodel.policy_grammar import BoundedPolicyRule
from service.readmodel.repurchases import RepurchasePolicy
from service.readmodel.suppressions import Suppression
from service.rows.field_types import NO_NUL
from service.rows.time_fields import read_timestamp

POLICY_EXAMPLE: Final[dict[str, Any]] = {
    "policy_id": "no-alcohol-abroad",
    "name": "No alcohol abroad",
    "type": "eligibility",
    "scope": {"categories": ["Beer", "Wine"]},
    "withhold_if": {"attribute": "country", "op": "not_in", "values": ["US", "CA"]},
}
PREVIEW_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Strategic accounts only",
    "type": "suitability",
    "offer_only_if": {"field": "is_strategic", "op": "eq", "value": True},
}
MAX_NAME: Final = 200
MAX_SAMPLE: Final = 2_000
RULE_FIELDS: Final = ("offer_only_if", "withhold_if")
CONTENT_FIELDS: Final = (*RULE_FIELDS, "limit", "suppression", "cap", "repurchase")
Time = Annotated[datetime, BeforeValidator(read_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NO_NUL)]
Description = Annotated[str, Field(max_length=2000, pattern=NO_NUL)]
PolicyId = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$", max_length=80)]

TYPE = (
    "`eligibility`: may the account have it; `applicability`: is it relevant now; `suitability`: is it good for the "
    "account; `limit`: has it been offered too often; `suppression`: has it said no; `cap`: is anything left of "
    "it. Policies apply in this order, and in the order of their ids within a type. `repurchase`: may an account that "
    "owns the product be offered it again; of several policies about one product, that of the most specific scope "
    "counts (products, then categories, lines, and all products), then the first by id."
)
SCOPE = "The products that it is about; all products without it."
FROM = "When it begins to be in force."
UNTIL = "When it ceases to be in force: the first moment at which it is not."
OFFER_ONLY_IF = "Offer the products only where this rule is true; where it is false or not known they are withheld."
LIMIT = "How often an account may be offered the products: of a policy of type `limit`, instead of a rule."
SUPPRESSION = "What answers of an account pause: of a policy of type `suppression`, instead of a rule."
CAP = "How often the products may be taken up in all: of a policy of type `cap`, instead of a rule."
WITHHOLD_IF = "Withhold the products where this rule is true, or not known to be false."
REPURCHASE = "When the products may be offered to accounts that own them; of policies of the type `repurchase` alone."


class PolicyIn(RequestBody):
    """A policy to store, with a rule (`offer_only_if` or `withhold_if`) or the field that is named like its type."""

    model_config = ConfigDict(json_schema_extra={"example": POLICY_EXAMPLE})

    policy_id: PolicyId | None = Field(default=None, description="Made of the name if left out.")
    name: Name
    description: Description | None = None
    type: PolicyType = Field(description=TYPE)
    is_enabled: StrictBool = Field(default=True, description="False keeps it without applying it.")
    valid_from: Time | None = Field(default=None, description=FROM)
    valid_until: Time | None = Field(default=None, description=UNTIL)
    scope: PolicyScope | None = Field(default=None, description=SCOPE)
    offer_only_if: BoundedPolicyRule | None = Field(default=None, description=OFFER_ONLY_IF)
    withhold_if: BoundedPolicyRule | None = Field(default=None, description=WITHHOLD_IF)
    limit: LimitIn | None = Field(default=None, description=LIMIT)
    suppression: SuppressionIn | None = Field(default=None, description=SUPPRESSION)
    cap: CapIn | None = Field(default=None, description=CAP)
    repurchase: Repurchase | None = Field(default=None, description=REPURCHASE)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        given = [name for name in CONTENT_FIELDS if getattr(self, name) is not None]
        if self.type.is_engagement and (len(given) != 1 or given[0] not in RULE_FIELDS):
            raise ValueError(f"a policy of type {self.type} needs offer_only_if or withhold_if: exactly one of them")
        if not self.type.is_engagement and given != [self.type]:
            raise ValueError(f"a policy of type {self.type} needs {self.type}, and has no rule")
        if self.cap is not None and self.scope is None:
            raise ValueError("a cap needs a scope: the products that may be taken up so often")
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be after valid_from: the policy would never be in force")
        if self.type.is_engagement:
            self._check_rule()
        return self

    def _check_rule(self) -> None:
        (compiled,) = PolicySet([self.policy("")]).policies
        if (n_terms := len(compiled.terms("account", "request"))) > MAX_MIXED_TERMS:
            raise ValueError(
                f"the rule mixes {n_terms} separate conditions on account and request with others; at most "
                f"{MAX_MIXED_TERMS} are possible: make several policies of it"
            )

    @property
    def rule(self) -> Any:
        """The rule, whichever it is; None of a policy without one."""
        return self.withhold_if if self.offer_only_if is None else self.offer_only_if

    def policy(self, policy_id: str) -> Policy:
        """Return it as decisions apply it: a policy with a rule."""
        is_requirement = self.offer_only_if is not None
        times = (self.valid_from, self.valid_until)
        return Policy(policy_id, self.type, self.rule, is_requirement, self.scope, *times)

    def contact_limit(self, policy_id: str) -> ContactLimit:
        """Return it as decisions apply it: a policy of type limit."""
        limit = self.limit
        assert limit is not None  # noqa: S101  Its type needs it.
        channels = None if limit.channels is None else frozenset(limit.channels)
        times = (self.valid_from, self.valid_until)
        return ContactLimit(
            policy_id,
            limit.at_most,
            limit.window.window,
            limit.per,
            channels,
            self.scope,
            *times,
            limit.counts,
            limit.unit,
        )

    def suppression_policy(self, policy_id: str) -> Suppression:
        """Return it as decisions apply it: a policy of type suppression."""
        given = self.suppression
        assert given is not None  # noqa: S101  Its type needs it.
        return Suppression(
            policy_id,
            frozenset(given.outcomes),
            given.count,
            timedelta(days=given.within_days),
            timedelta(days=given.pause_days),
            given.pauses,
            None if given.reasons is None else frozenset(given.reasons),
            self.scope,
            self.valid_from,
            self.valid_until,
        )

    def product_cap(self, policy_id: str) -> Cap:
        """Return it as decisions apply it: a policy of type cap."""
        cap, scope = self.cap, self.scope
        assert cap is not None and scope is not None  # noqa: S101, PT018  Its type needs them.
        return Cap(policy_id, cap.at_most, cap.per, scope, self.valid_from, self.valid_until)

    def repurchase_policy(self, policy_id: str) -> RepurchasePolicy:
        """Return a policy of repurchase as decisions apply it."""
        assert self.repurchase is not None  # noqa: S101  Validated for its type.
        times = (self.valid_from, self.valid_until)
        return RepurchasePolicy(policy_id, self.repurchase.mode, self.repurchase.after_days, self.scope, *times)

    def definition(self) -> dict[str, Any]:
        """Return what is stored of it beside its identifier."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"policy_id"})


class PolicyPatch(PartialUpdate):
    """Fields to change. A new rule replaces the one that there is, whichever it is."""

    model_config = ConfigDict(json_schema_extra={"example": {"is_enabled": False}})

    name: Name | None = None
    description: Description | None = None
    type: PolicyType | None = Field(default=None, description=TYPE)
    is_enabled: StrictBool = Field(default=True, description="False keeps it without applying it.")
    valid_from: Time | None = Field(default=None, description=FROM)
    valid_until: Time | None = Field(default=None, description=UNTIL)
    scope: PolicyScope | None = Field(default=None, description=SCOPE)
    offer_only_if: BoundedPolicyRule | None = Field(default=None, description=OFFER_ONLY_IF)
    withhold_if: BoundedPolicyRule | None = Field(default=None, description=WITHHOLD_IF)
    limit: LimitIn | None = Field(default=None, description=LIMIT)
    suppression: SuppressionIn | None = Field(default=None, description=SUPPRESSION)
    cap: CapIn | None = Field(default=None, description=CAP)
    repurchase: Repurchase | None = Field(default=None, description=REPURCHASE)

    def apply(self, before: dict[str, Any]) -> dict[str, Any]:
        """Return a stored definition with the changes. before: see ``PolicyIn.definition``."""
        given = self.model_dump(mode="json", by_alias=True, include=self.model_fields_set)
        if any(given.get(name) is not None for name in CONTENT_FIELDS):
            given = dict.fromkeys(CONTENT_FIELDS) | given
        rules = {name: _without_nulls(given[name]) for name in CONTENT_FIELDS if given.get(name) is not None}
        return {**before, **given, **rules}


def _without_nulls(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_nulls(item) for item in part]
    if isinstance(part, dict):
        return {key: _without_nulls(value) for key, value in part.items() if value is not None}
    return part


class PolicyOut(BaseModel):
    """A policy. It can be imported again as it is."""

    policy_id: str = Field(examples=["no-alcohol-abroad"])
    name: str
    description: str | None
    type: PolicyType = Field(description=TYPE)
    is_enabled: bool
    is_built_in: bool = Field(description="A rule of the service itself: it has no rule to read or change.")
    can_be_switched_off: bool
    valid_from: datetime | None = Field(description=FROM)
    valid_until: datetime | None = Field(description=UNTIL)
    scope: PolicyScope | None = Field(description=SCOPE)
    offer_only_if: BoundedPolicyRule | None = Field(description=OFFER_ONLY_IF)
    withhold_if: BoundedPolicyRule | None = Field(description=WITHHOLD_IF)
    limit: LimitIn | None = Field(description=LIMIT)
    suppression: SuppressionIn | None = Field(description=SUPPRESSION)
    cap: CapIn | None = Field(description=CAP)
    repurchase: Repurchase | None = Field(description=REPURCHASE)
    version: int = Field(description="One more at each change.")
    created_at: datetime | None = Field(description="Null of a built-in policy that was never changed.")
    created_by: str | None = Field(description="The identifier of the API key; `import` for a file.")
    updated_at: datetime | None
    updated_by: str | None


class PolicyVersionOut(BaseModel):
    """One change of a policy."""

    version: int
    change: str = Field(description="`created`, `updated` or `deleted`.", examples=["updated"])
    changed_at: datetime
    changed_by: str = Field(description="The identifier of the API key; `import` for a file.")
    before: dict[str, Any] | None = Field(description="The policy before; null where it was created.")
    after: dict[str, Any] | None = Field(description="The policy since; null where it was deleted.")


class PolicyPreviewIn(RequestBody):
    """What to try out: a new policy; or a change of a stored one; or what happens without it."""

    model_config = ConfigDict(json_schema_extra={"example": {"policy": PREVIEW_EXAMPLE, "sample": 500}})

    policy: PolicyIn | None = Field(default=None, description="A policy as it would be stored.")
    policy_id: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NO_NUL)] | None = Field(
        default=None, description="The stored policy to try without, or with `change`."
    )
    change: PolicyPatch | None = Field(default=None, description="What would be changed of the stored policy.")
    sample: int = Field(default=500, ge=1, le=MAX_SAMPLE, description="Accounts to decide for, the same every time.")

    @model_validator(mode="after")
    def _names_one_policy(self) -> Self:
        if (self.policy is None) == (self.policy_id is None):
            raise ValueError("give policy, or policy_id of a stored one: exactly one of them")
        if self.change is not None and self.policy_id is None:
            raise ValueError("change needs policy_id: the stored policy that it changes")
        return self


class PreviewExample(BaseModel):
    """One account whose offers would change."""

    account_id: str
    before: list[str] = Field(description="Products that it is offered now, best first.")
    after: list[str] = Field(description="Products that it would be offered.")


class PolicyPreviewOut(BaseModel):
    """What would change for a sample of accounts, each with three offers, without placement, basket or context."""

    accounts: int = Field(description="Accounts in the sample.")
    changed: int = Field(description="Accounts whose offers would change.")
    examples: list[PreviewExample] = Field(description="Up to ten of them.")
    without_offers_before: int = Field(description="Accounts that get no offer now.")
    without_offers: int = Field(description="Accounts that would get no offer.")
    withheld: int = Field(
        description="Candidates that the policy would withhold until lists are full; of one to be removed, that it "
        "withholds now; 0 of a policy of repurchase, which adds candidates."
    )
    never_fired: list[str] = Field(
        description="Policies that withheld nothing in the sample: nothing meets them, or other reasons come first."
    )
    unknown: dict[str, int] = Field(
        description="Accounts of which what the policy asks for is not known, by field, attribute or segment.",
        examples=[{"country": 12}],
    )
    unknown_products: dict[str, int] = Field(
        description="Products in its scope of which what it asks for is not known, by field or attribute; under "
        "`repurchase_interval`, consumables whose interval is neither given nor learned.",
        examples=[{"margin_rate": 310}],
    )
