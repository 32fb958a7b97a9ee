"""Products as callers write and read them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.base.money import to_minor
from service.base.request_body import PartialUpdate, RequestBody
from service.catalogue.pairs import relationship_id_of
from service.rows.field_types import (
    Attributes,
    Flag,
    Identifier,
    OptionalCurrency,
    OptionalIdentifier,
    OptionalMinor,
    OptionalMoney,
    OptionalStock,
    OptionalText,
    OptionalTier,
    OptionalTimestamp,
)
from service.rows.text_fields import is_blank


class ProductIn(PartialUpdate):
    """One product to create or update. A field that is left out keeps its stored value; null or blank clears it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "product_id": "GTX Pro",
                "line": "GTX",
                "category": "software",
                "family": "GTX",
                "tier": 2,
                "price": "4821.00",
                "currency": "USD",
                "margin_minor": 192800,
                "active": True,
            }
        },
    )

    product_id: Identifier = Field(description="Your own identifier of the product.")
    name: OptionalText = Field(default=None, description="What people call it; the identifier if left out.")
    line: OptionalText = Field(default=None, description="The product line: what goals are set on.")
    category: OptionalText = Field(default=None, description="What kind of thing it is.")
    family: OptionalText = Field(default=None, description="Products of one family are alternatives of rising tier.")
    tier: OptionalTier = Field(default=None, description="Place within the family: an upgrade has a higher tier.")
    price_minor: OptionalMinor = Field(default=None, description="Price in minor units. Give this or `price`.")
    price: OptionalMoney = Field(default=None, description="Price in major units, exact when written as text.")
    currency: OptionalCurrency = Field(default=None, description="ISO 4217 code of price and margin.")
    margin_minor: OptionalMinor = Field(default=None, description="Margin in minor units. Give this or `margin`.")
    margin: OptionalMoney = Field(default=None, description="Margin in major units.")
    active: Flag = Field(default=True, description="Whether it may be offered.")
    is_merchandise: Flag = Field(
        default=True,
        description="False for order lines that are no merchandise, such as fees, deposits, shipping and gift cards. "
        "They are never offered, are no reason for an offer, and no relationship is learned from them.",
    )
    parent_product_id: OptionalIdentifier = Field(
        default=None,
        description="What it is a variant of, such as a size or a colour. Whoever has one variant is not offered "
        "another. The parent need not be a product of its own.",
    )
    replaces: OptionalIdentifier = Field(
        default=None,
        description="The product that it succeeds, such as its identifier before it was renamed. Whoever has the one "
        "is not offered the other.",
    )
    available_from: OptionalTimestamp = Field(
        default=None, description="It is not offered before. ISO 8601 time, UTC unless it names an offset."
    )
    available_until: OptionalTimestamp = Field(default=None, description="It is not offered from this time on.")
    stock: OptionalStock = Field(
        default=None,
        description="How many are left: with 0 or less it is sold out, and not offered. Null where that is not known.",
    )
    attributes: Attributes = Field(
        default_factory=dict, description="Whatever else is known. Replaced as a whole. At most 16 KB and 5 levels."
    )

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "ProductIn":
        if self.available_from and self.available_until and self.available_from >= self.available_until:
            raise ValueError("available_until is not after available_from")
        return self

    @model_validator(mode="after")
    def _one_amount_each(self) -> "ProductIn":
        for name in ("price", "margin"):
            if getattr(self, name) is not None and getattr(self, f"{name}_minor") is not None:
                raise ValueError(f"{name} and {name}_minor exclude each other")
            _minor(name, getattr(self, name), self.currency)
        if (self.price or self.price_minor or 0) < 0:
            raise ValueError("price is negative; correct it, or leave it out")
        return self

    def record(self, default_currency: str | None = None) -> dict[str, Any]:
        """The columns that this row sets."""
        columns = self.model_dump(exclude_unset=True, exclude={"price", "margin", "active"})
        money = {"price", "price_minor", "margin", "margin_minor"} & self.model_fields_set
        currency = self.currency or (default_currency if money else None)
        for name in money & {"price", "margin"}:
            # A null beside the other spelling does not clear what that one sets.
            if columns.get(f"{name}_minor") is None:
                columns[f"{name}_minor"] = _minor(name, getattr(self, name), currency)
        if money and currency:
            columns["currency"] = currency
        if "name" in columns:
            columns["name"] = self.name or self.product_id
        return columns | ({"is_active": self.active} if "active" in self.model_fields_set else {})


def _minor(name: str, major: Decimal | None, currency: str | None) -> int | None:
    try:
        return None if major is None else to_minor(major, currency)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


class ProductOut(BaseModel):
    """What is known of one product."""

    product_id: str
    name: str
    line: str | None
    category: str | None
    family: str | None
    tier: int | None
    price_minor: int | None
    currency: str | None
    margin_minor: int | None
    active: bool = Field(validation_alias="is_active")
    is_merchandise: bool = Field(description="False for fees, deposits, shipping, gift cards and the like.")
    parent_product_id: str | None = Field(description="What it is a variant of.")
    replaces: str | None = Field(description="The product that it succeeds.")
    available_from: datetime | None = Field(description="It is not offered before.")
    available_until: datetime | None = Field(description="It is not offered from this time on.")
    stock: float | None = Field(description="How many are left; null where that is not known.")
    attributes: dict[str, Any]
    is_stub: bool = Field(description="Only orders or deals have named this product so far: nobody has described it.")
    updated_at: datetime


RelationName = Literal["up_sell", "cross_sell", "accessory", "substitute"]


RelationshipStatus = Literal["mined", "approved", "banned", "added"]
STATUS_MEANINGS: Final = (
    "`mined`: learned, and not judged yet; `approved`: it stands, whatever is learned; `banned`: it is never shown; "
    "`added`: curated, not learned."
)


def _as_code(value: object) -> object:
    """Read ``Up-sell`` as ``up_sell``: files are written by people."""
    if isinstance(value, str):
        return value.strip().lower().replace("-", "_").replace(" ", "_")
    return None if is_blank(value) else value


class RelationshipIn(RequestBody):
    """What is curated of one pair of products, in place of what was curated before."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source_product_id": "GTX Basic",
                "target_product_id": "GTX Pro",
                "relation": "up_sell",
                "status": "added",
                "note": "The price list says so.",
                "author": "j.doe",
            }
        },
    )

    source_product_id: Identifier = Field(description="The product that leads to the other.")
    target_product_id: Identifier = Field(description="The product that it leads to.")
    relation: Annotated[RelationName, BeforeValidator(_as_code)] = Field(
        description="What the target is to the source."
    )
    status: Annotated[RelationshipStatus, BeforeValidator(lambda given: _as_code(given) or "added")] = Field(
        default="added", description=f"{STATUS_MEANINGS} `mined` takes that back; a note stays."
    )
    note: OptionalText = Field(default=None, description="Why, for colleagues. Left out or blank: none.")
    author: OptionalText = Field(default=None, description="Who says so, such as a user of your CRM; else the API key.")

    @property
    def relationship_id(self) -> str:
        """The name of the pair."""
        return relationship_id_of(self.source_product_id, self.target_product_id)


class RelationshipPatch(PartialUpdate):
    """What changes in one relationship. A field that is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "banned", "note": "They do not fit.", "author": "j.doe"}},
    )

    described_fields: ClassVar = frozenset({"relation", "status", "author"})

    relation: RelationName | None = Field(
        default=None, description="What the target is to the source. Left out or null, it stays as it is."
    )
    status: RelationshipStatus | None = Field(
        default=None, description=f"{STATUS_MEANINGS} Left out or null, it stays as it is."
    )
    note: OptionalText = Field(default=None, description="Why, for colleagues.")
    author: OptionalText = Field(default=None, description="Who says so, such as a user of your CRM; else the API key.")


class DaysBetween(BaseModel):
    """Days from an account's first purchase of the source to its first purchase of the target."""

    first_quartile: float
    median: float
    third_quartile: float
    n: int = Field(description="Accounts that bought the target on a later day.")


class RelationshipOut(BaseModel):
    """How one product relates to another, what that rests on, and what is curated of it."""

    relationship_id: str = Field(description="Names the pair in paths; the same after every training.")
    source_product_id: str
    source_name: str
    target_product_id: str
    target_name: str
    relation: RelationName = Field(
        description="What the target is to the source: a more valuable version; something else that goes with it; "
        "a cheaper thing that belongs to it; something that stands in for it."
    )
    status: RelationshipStatus = Field(description=STATUS_MEANINGS)
    basis: Literal["product", "category"] = Field(
        description="Whether the products were counted, or their categories, for want of history."
    )
    evidence: Literal["baskets", "sequence", "moves", "declared", "owners", "people"] = Field(
        description="Counted in baskets; in what accounts bought within 30 days; in accounts that moved up; declared "
        "by the catalogue's family and tier alone; in accounts that have one and not the other; or curated alone."
    )
    strength: float = Field(
        description="Between 0 and 1, comparable within a relation: how much likelier the target is in a basket with "
        "the source; of an up-sell, the share of accounts that moved up; of a substitute, the share of missed baskets, "
        "or of missed owners of both. "
        "What is curated alone has 1."
    )
    reason: str = Field(examples=["Bought together in 466 orders by 412 customers, 2.2 times as often as by chance."])
    together: int | None = Field(description="Baskets, or for sequences, moves and substitutes accounts, with both.")
    buyers: int | None = Field(
        description="Customers behind `together`: each account once, however many baskets it has, and each guest's "
        "basket as a customer of its own. Fewer than 3 make no cross-sell and no accessory."
    )
    n_source: int | None = Field(description="Baskets or accounts with the source.")
    n_target: int | None = Field(description="Baskets or accounts with the target.")
    n_total: int | None = Field(description="Baskets or accounts in all.")
    support: float | None = Field(description="together / n_total.")
    confidence: float | None = Field(description="together / n_source.")
    lift: float | None = Field(description="together n_total / (n_source n_target); 1 by chance.")
    cosine: float | None = Field(description="together / sqrt(n_source n_target).")
    log_likelihood_ratio: float | None = Field(description="Dunning, 1993; chi-squared with one degree of freedom.")
    value_growth: float | None = Field(
        description="Mean value of baskets with both over that of baskets with the source alone, less 1."
    )
    days_between: DaysBetween | None
    price_step_minor: int | None = Field(description="The target's price less the source's, in minor units.")
    currency: str | None
    note: str | None
    created_at: datetime | None = Field(description="When it was first curated; null if it was not.")
    created_by: str | None
    updated_at: datetime | None
    updated_by: str | None
