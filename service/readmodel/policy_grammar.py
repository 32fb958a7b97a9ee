"""The grammar of policies' rules: that of segments, and conditions on segments, products and the request."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Tag, model_validator

from service.readmodel.rule_grammar import (
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    AttributeRule,
    Condition,
    FieldKind,
    FieldRule,
    OwnsRule,
    Strict,
    bounded,
    by_kind,
    check_kind,
)

PRODUCT_FIELDS: Final[dict[str, FieldKind]] = {
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
REQUEST_FIELDS: Final[dict[str, FieldKind]] = {
    "placement": "text",
    "channel": "text",
    "has_account": "flag",
    "basket_size": "number",
}
"""What a rule may ask of a request, beside its ``context``."""


class PolicyOwnsRule(OwnsRule):
    """It owns one of these, or an account that it is related to does."""

    by: Literal["parent", "group"] | None = Field(
        default=None,
        description="`parent`: any account above it. `group`: it or any of its subsidiaries. The account itself if "
        "left out.",
    )


class PolicyAttributeRule(AttributeRule):
    """Compare something that your company stored of the account, or of an account above it."""

    by: Literal["parent"] | None = Field(
        default=None,
        description="`parent`: of the nearest account above it that has the attribute. Of the account itself if left "
        "out.",
    )


class InSegmentRule(Strict):
    """The account is in one of these segments."""

    in_segment: Annotated[list[Annotated[str, Field(max_length=MAX_TEXT)]], Field(min_length=1, max_length=MAX_VALUES)]


class ProductRule(Condition):
    """Compare a field of the product."""

    product: str = Field(description=f"One of {', '.join(PRODUCT_FIELDS)}.", examples=["margin_rate"])

    @model_validator(mode="after")
    def _fits_its_field(self) -> Any:
        check_kind(self, self.product, PRODUCT_FIELDS, "product field")
        return self


class ProductAttributeRule(Condition):
    """Compare something that your company stored of the product. Of a list, one value must match."""

    product_attribute: str = Field(min_length=1, max_length=MAX_TEXT, examples=["age_restricted"])


class RequestRule(Condition):
    """Compare a field of the request."""

    request: str = Field(description=f"One of {', '.join(REQUEST_FIELDS)}.", examples=["placement"])

    @model_validator(mode="after")
    def _fits_its_field(self) -> Any:
        check_kind(self, self.request, REQUEST_FIELDS, "request field")
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


PolicyRule = Annotated[
    Annotated[PolicyAllRule, Tag("all")]
    | Annotated[PolicyAnyRule, Tag("any")]
    | Annotated[PolicyNotRule, Tag("not")]
    | Annotated[PolicyOwnsRule, Tag("owns")]
    | Annotated[FieldRule, Tag("field")]
    | Annotated[PolicyAttributeRule, Tag("attribute")]
    | Annotated[InSegmentRule, Tag("in_segment")]
    | Annotated[ProductRule, Tag("product")]
    | Annotated[ProductAttributeRule, Tag("product_attribute")]
    | Annotated[RequestRule, Tag("request")]
    | Annotated[ContextRule, Tag("context")],
    by_kind(KINDS),
]
BoundedPolicyRule = Annotated[PolicyRule, BeforeValidator(bounded)]
"""A rule as callers send it."""

PolicyAllRule.model_rebuild()
PolicyAnyRule.model_rebuild()
PolicyNotRule.model_rebuild()

ACCOUNT_CONDITIONS: Final = (FieldRule, AttributeRule, OwnsRule, InSegmentRule)
REQUEST_CONDITIONS: Final = (RequestRule, ContextRule)
PRODUCT_CONDITIONS: Final = (ProductRule, ProductAttributeRule)
