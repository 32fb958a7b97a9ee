"""The grammar of policies' rules: that of segments, and conditions on segments, products and the request."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from service.readmodel.rule_grammar import (
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    ORDERED,
    AttributeRule,
    Condition,
    FieldRule,
    OwnsRule,
    Strict,
    bounded,
)

PRODUCT_FIELDS: Final[dict[str, Literal["number", "text"]]] = {
    "product_id": "text",
    "line": "text",
    "category": "text",
    "family": "text",
    "tier": "number",
    "price_minor": "number",
    "margin_minor": "number",
    "margin_rate": "number",
}
"""What a rule may ask of a product. margin_rate is the margin divided by the price."""
REQUEST_FIELDS: Final[dict[str, Literal["number", "text", "flag"]]] = {
    "placement": "text",
    "has_account": "flag",
    "basket_size": "number",
}
"""What a rule may ask of a request, beside its ``context``."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {"number": (int, float), "text": (str,), "flag": (bool,)}


def _check_kind(condition: Condition, name: str, kinds: dict[str, Any], what: str) -> None:
    """Raise ValueError if there is no such field, or the condition does not fit its kind."""
    kind = kinds.get(name)
    if kind is None:
        raise ValueError(f"there is no {what} field {name!r}; the fields are {', '.join(kinds)}")
    for value in condition.operands():
        if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
            raise ValueError(f"{name} is a {kind}, which {value!r} is not")
    if kind != "number" and condition.op in ORDERED:
        raise ValueError(f"{name} is a {kind}: compare it with eq, ne, in or not_in")


class InSegmentRule(Strict):
    """The account is in one of these segments."""

    in_segment: Annotated[list[Annotated[str, Field(max_length=MAX_TEXT)]], Field(min_length=1, max_length=MAX_VALUES)]


class ProductRule(Condition):
    """Compare a field of the product."""

    product: str = Field(description=f"One of {', '.join(PRODUCT_FIELDS)}.", examples=["margin_rate"])

    @model_validator(mode="after")
    def _fits_its_field(self) -> Any:
        _check_kind(self, self.product, PRODUCT_FIELDS, "product")
        return self


class ProductAttributeRule(Condition):
    """Compare something that your company stored of the product. Of a list, one value must match."""

    product_attribute: str = Field(min_length=1, max_length=MAX_TEXT, examples=["age_restricted"])


class RequestRule(Condition):
    """Compare a field of the request."""

    request: str = Field(description=f"One of {', '.join(REQUEST_FIELDS)}.", examples=["placement"])

    @model_validator(mode="after")
    def _fits_its_field(self) -> Any:
        _check_kind(self, self.request, REQUEST_FIELDS, "request")
        return self


class ContextRule(Condition):
    """Compare a value of the request's `context`."""

    context: str = Field(min_length=1, max_length=64, examples=["channel"])


class PolicyAllRule(Strict):
    """Every one of these."""

    all: Annotated[list["PolicyRule"], Field(min_length=1, max_length=MAX_CONDITIONS)]


class PolicyAnyRule(Strict):
    """At least one of these."""

    any: Annotated[list["PolicyRule"], Field(min_length=1, max_length=MAX_CONDITIONS)]


class PolicyNotRule(Strict):
    """Not this."""

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True, serialize_by_alias=True)

    not_: "PolicyRule" = Field(alias="not")


KINDS: Final = (
    "all", "any", "not", "owns", "field", "attribute", "in_segment", "product", "product_attribute", "request",
    "context",
)  # fmt: skip


def kind_of(value: Any) -> str | None:
    """Return a rule's kind, by the one key that each has; None for a value with no such key, or several."""
    if isinstance(value, dict):
        kinds = [kind for kind in KINDS if kind in value]
    else:
        kinds = [kind for kind in KINDS if hasattr(value, "not_" if kind == "not" else kind)]
    return kinds[0] if len(kinds) == 1 else None


PolicyRule = Annotated[
    Annotated[PolicyAllRule, Tag("all")]
    | Annotated[PolicyAnyRule, Tag("any")]
    | Annotated[PolicyNotRule, Tag("not")]
    | Annotated[OwnsRule, Tag("owns")]
    | Annotated[FieldRule, Tag("field")]
    | Annotated[AttributeRule, Tag("attribute")]
    | Annotated[InSegmentRule, Tag("in_segment")]
    | Annotated[ProductRule, Tag("product")]
    | Annotated[ProductAttributeRule, Tag("product_attribute")]
    | Annotated[RequestRule, Tag("request")]
    | Annotated[ContextRule, Tag("context")],
    Discriminator(
        kind_of,
        custom_error_type="rule_kind",
        custom_error_message=f"A rule is an object with exactly one of the keys {', '.join(KINDS)}",
    ),
]
BoundedPolicyRule = Annotated[PolicyRule, BeforeValidator(bounded)]
"""A rule as callers send it."""

PolicyAllRule.model_rebuild()
PolicyAnyRule.model_rebuild()
PolicyNotRule.model_rebuild()

ACCOUNT_CONDITIONS: Final = (FieldRule, AttributeRule, OwnsRule, InSegmentRule)
REQUEST_CONDITIONS: Final = (RequestRule, ContextRule)
PRODUCT_CONDITIONS: Final = (ProductRule, ProductAttributeRule)


def parts_of(rule: Any) -> list[Any]:
    """Return the rules that a rule combines; none for a condition."""
    match rule:
        case PolicyAllRule():
            return rule.all
        case PolicyAnyRule():
            return rule.any
        case PolicyNotRule():
            return [rule.not_]
    return []


def conditions_of(rule: Any) -> Iterator[Any]:
    """Yield the conditions that a rule is made of."""
    parts = parts_of(rule)
    if not parts:
        yield rule
    for part in parts:
        yield from conditions_of(part)
