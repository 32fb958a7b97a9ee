"""Fields that every request for offers shares: what offers are restricted to, and which attributes they show."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, WithJsonSchema

from service.base.request_body import RequestBody
from service.offers.request import OfferFilter
from service.readmodel.product_attributes import texts_of

MAX_IDENTIFIER = 200
MAX_NAMES = 100
MAX_FIELDS = 50
MAX_ATTRIBUTES = 20


def to_whole_number(value: object) -> object:
    """JSON knows one kind of number: 3.0 is as whole as 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def to_list(values: object) -> object:
    """Split the values of a repeated parameter at commas, and leave blank ones out."""
    if not isinstance(values, list):
        return values
    return [part for value in values for part in map(str.strip, value.split(",")) if part]


def to_names(values: object) -> object:
    """Leave blank values of a repeated parameter out. Names may hold commas: see ``OfferFilter.is_from_query``."""
    return [value for value in values if value.strip()] if isinstance(values, list) else values


def to_attributes(values: object) -> object:
    """Read ``NAME:VALUE``, repeated or separated by commas, which may be part of a value where no colon follows."""
    if not isinstance(values, list):
        return values
    attributes: dict[str, list[str]] = {}
    for given in filter(str.strip, values):
        parts = given.split(",")
        for part in parts if all(":" in part for part in parts) else [given]:
            name, colon, value = part.partition(":")
            if not colon:
                raise ValueError(f"write NAME:VALUE, such as colour:red, not {part[:100]!r}")
            attributes.setdefault(name.strip(), []).append(value.strip())
    return attributes


Name = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER)]
FieldName = Annotated[str, Field(min_length=1, max_length=100)]
RelationFilter = Literal["up_sell", "cross_sell", "accessory"]
AttributeText = Annotated[str, Field(max_length=1000)]
AttributeNumber = Annotated[StrictFloat, Field(allow_inf_nan=False)]
AttributeValue = AttributeText | StrictBool | StrictInt | AttributeNumber | None
AttributeValues = Annotated[list[AttributeValue], Field(min_length=1, max_length=MAX_NAMES)]
AttributeFilter = Annotated[
    AttributeValue | AttributeValues,
    WithJsonSchema({"description": "A text, a number, true, false or null; or a list of 1 to 100 of them."}),
]
"""Published without a type: generated Java does not compile where one may be a list among others."""
MaxPrice = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(to_whole_number)]

LINES = "Offer products of these lines alone; an empty list restricts nothing, as with the other filters."
CATEGORIES = "Offer products of these categories alone."
PRICE_MAX = (
    "Offer products that cost at most this, in minor units of each product's own currency. Products without a price "
    "are left out."
)
RELATIONS = (
    "Offer products alone that have one of these relations to a product that is owned or in the basket; each offer "
    "then shows that relation."
)
ATTRIBUTES = (
    "Offer products alone whose attributes have these values: all names must match, each by one of its values. Values "
    'are compared as text, so that 12 equals "12"; of an attribute that is a list, one value must match.'
)
FIELDS = (
    "Attributes of the product to show in `attributes` of each offer, such as `image_url`; also `name`, `line`, "
    "`category`, `family`, `tier`, `price_minor` and `currency`, which stand before attributes of the same name: "
    "`attributes.NAME` names the attribute. Null where a product has no such value."
)
SPLIT = " Repeat the parameter or separate values by commas."


class FilterFields(RequestBody):
    """What a body restricts offers to."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    lines: Annotated[list[Name], Field(max_length=MAX_NAMES)] | None = Field(default=None, description=LINES)
    categories: Annotated[list[Name], Field(max_length=MAX_NAMES)] | None = Field(default=None, description=CATEGORIES)
    price_max_minor: MaxPrice | None = Field(default=None, description=PRICE_MAX)
    relations: Annotated[list[RelationFilter], Field(max_length=3)] | None = Field(default=None, description=RELATIONS)
    attributes: Annotated[dict[FieldName, AttributeFilter], Field(max_length=MAX_ATTRIBUTES)] | None = Field(
        default=None, description=ATTRIBUTES + " Null matches products without a value."
    )
    fields: Annotated[list[FieldName], Field(max_length=MAX_FIELDS)] | None = Field(default=None, description=FIELDS)

    def offer_filter(self) -> OfferFilter | None:
        """Return the filter; None where nothing is restricted."""
        return filter_of(self, is_from_query=False)


class FilterParameters(BaseModel):
    """What a query restricts offers to. Each of the lists may be repeated, or separated by commas."""

    model_config = ConfigDict(frozen=True)

    lines: Annotated[list[Name], BeforeValidator(to_names), Field(max_length=MAX_NAMES)] = Field(
        default_factory=list, description=LINES + SPLIT
    )
    categories: Annotated[list[Name], BeforeValidator(to_names), Field(max_length=MAX_NAMES)] = Field(
        default_factory=list, description=CATEGORIES + SPLIT
    )
    price_max_minor: Annotated[int, Field(ge=0, le=2**53)] | None = Field(default=None, description=PRICE_MAX)
    relations: Annotated[list[RelationFilter], BeforeValidator(to_list), Field(max_length=3)] = Field(
        default_factory=list, description=RELATIONS + SPLIT
    )
    attributes: Annotated[
        dict[FieldName, Annotated[list[AttributeText], Field(max_length=MAX_NAMES)]],
        BeforeValidator(to_attributes, json_schema_input_type=list[str]),
        Field(max_length=MAX_ATTRIBUTES),
    ] = Field(default_factory=dict, description=ATTRIBUTES + " Write `NAME:VALUE`." + SPLIT)
    fields: Annotated[list[FieldName], BeforeValidator(to_list), Field(max_length=MAX_FIELDS)] = Field(
        default_factory=list, description=FIELDS + SPLIT
    )

    def offer_filter(self) -> OfferFilter | None:
        """Return the filter; None where nothing is restricted."""
        return filter_of(self, is_from_query=True)


def filter_of(given: FilterFields | FilterParameters, *, is_from_query: bool) -> OfferFilter | None:
    """Return what offers are restricted to; None where nothing is restricted."""
    attributes = sorted((given.attributes or {}).items())
    wanted = OfferFilter(
        tuple(sorted(set(given.lines or ()))),
        tuple(sorted(set(given.categories or ()))),
        given.price_max_minor,
        tuple((name, values_of(value)) for name, value in attributes),
        tuple(sorted(set(given.relations or ()))),
        is_from_query,
    )
    return None if wanted == OfferFilter(is_from_query=is_from_query) else wanted


def values_of(value: Any) -> tuple[str | None, ...]:
    """Return the allowed values of an attribute as texts; None for null."""
    values = value if isinstance(value, list) else [value]
    texts = {None if item is None else next(texts_of(item)) for item in values}
    return tuple(sorted(texts, key=lambda text: text or ""))


class BasketItem(BaseModel):
    """A product in the basket, and how many of it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    product_id: Name
    quantity: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="How many, or how much; 1 if left out or null. It changes no answer yet, except that a product of "
        "which there is 0 is not in the basket.",
    )

    @classmethod
    def product_ids(cls, items: "list[str | BasketItem]") -> list[str]:
        """Return the products that are in a basket, each once."""
        named = (item if isinstance(item, str) else item.product_id for item in items if is_there(item))
        return list(dict.fromkeys(named))


def is_there(item: str | BasketItem) -> bool:
    """Tell whether an item is in the basket."""
    return isinstance(item, str) or item.quantity is None or item.quantity > 0
