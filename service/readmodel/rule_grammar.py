"""The grammar of rules over an account's profile, by which users define segments. Rules are never run as code."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from models.artifact.customers import RFM_SEGMENTS, TIERS, TRENDS
from models.artifact.segments import slug
from service.base.request_body import RequestBody

MAX_DEPTH: Final = 8
MAX_CONDITIONS: Final = 100
MAX_VALUES: Final = 1_000
MAX_TEXT: Final = 256

MAX_NUMBER: Final = 10**15

Value = (
    bool
    | Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    | Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
    | Annotated[str, Field(max_length=MAX_TEXT)]
)
Values = Annotated[list[Value], Field(min_length=1, max_length=MAX_VALUES)]
Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_known"]
ORDERED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip


FieldKind = Literal["number", "text", "flag"]
_TYPES: Final[dict[FieldKind, tuple[type, ...]]] = {"number": (int, float), "text": (str,), "flag": (bool,)}


@dataclass(frozen=True)
class ProfileField:
    """One field of the profile. texts: every value that a text may have, where the set is closed."""

    kind: FieldKind
    about: str
    texts: tuple[str, ...] = ()


FIELDS: Final[dict[str, ProfileField]] = {
    "purchase_days": ProfileField("number", "Days on which it bought."),
    "spend_minor": ProfileField("number", "Spent so far, minor units of the reporting currency, returns subtracted."),
    "days_since_purchase": ProfileField("number", "Days from the last purchase to the artifact's date."),
    "days_since_first_purchase": ProfileField("number", "Days from the first purchase to the artifact's date."),
    "recency": ProfileField("number", "Quintile of recency, 5 the best."),
    "frequency": ProfileField("number", "Quintile of frequency, 5 the best."),
    "monetary": ProfileField("number", "Quintile of money, 5 the best."),
    "rfm": ProfileField("text", "Segment by recency, frequency and money.", tuple(map(slug, RFM_SEGMENTS))),
    "revenue_tier": ProfileField("text", "Tier of revenue so far.", TIERS),
    "value_tier": ProfileField("text", "Tier of value ahead.", TIERS),
    "trend": ProfileField("text", "Engagement trend.", TRENDS),
    "cluster": ProfileField("text", "Id of the learned cluster, such as cluster.1."),
    "is_alive": ProfileField("number", "P(still buying), 0 to 1."),
    "value_ahead_minor": ProfileField("number", "Discounted value ahead, minor units of the reporting currency."),
    "purchase_spend_minor": ProfileField("number", "Expected spend on a day with a purchase, minor units of the same."),
    "usual_gap_days": ProfileField("number", "Median of the days between purchases."),
    "is_contractual": ProfileField("flag", "Buys at regular intervals."),
    "is_strategic": ProfileField("flag", "Declared to be wanted whatever it is worth."),
}
"""What a rule may ask of an account. Values are those of the current artifact; is_strategic is as of now."""


class Strict(RequestBody):
    """Refuses what is not in the grammar."""

    model_config = ConfigDict(strict=True, frozen=True)


class Condition(Strict):
    """An operator, and what it compares with: ``value`` with one, ``values`` with many, nothing for ``is_known``."""

    op: Operator
    value: Value | None = None
    values: Values | None = None

    @model_validator(mode="after")
    def _fits_its_operator(self) -> Any:
        wants = {"in": "values", "not_in": "values", "is_known": None}.get(self.op, "value")
        for name in ("value", "values"):
            if (getattr(self, name) is None) == (name == wants):
                needs = f"needs `{wants}`" if wants else "takes neither `value` nor `values`"
                raise ValueError(f"{self.op} {needs}")
        if self.op in ORDERED and isinstance(self.value, bool):
            raise ValueError(f"{self.op} orders numbers and texts, not true and false")
        return self

    def operands(self) -> list[Value]:
        """Return the values that it compares with."""
        return self.values or ([] if self.value is None else [self.value])


def check_kind(condition: Condition, name: str, kinds: Mapping[str, FieldKind], what: str) -> None:
    """Raise ValueError if there is no such field, or a condition does not fit its kind. kinds: of every field."""
    kind = kinds.get(name)
    if kind is None:
        raise ValueError(f"there is no {what} {name!r}; the fields are {', '.join(kinds)}")
    for value in condition.operands():
        if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
            raise ValueError(f"{name} is a {kind}, which {value!r} is not")
    if kind != "number" and condition.op in ORDERED:
        raise ValueError(f"{name} is a {kind}: compare it with eq, ne, in or not_in")


class FieldRule(Condition):
    """Compare a figure of the profile."""

    field: str = Field(description=f"One of {', '.join(FIELDS)}.", examples=["spend_minor"])

    @model_validator(mode="after")
    def _fits_its_field(self) -> Any:
        check_kind(self, self.field, {name: field.kind for name, field in FIELDS.items()}, "field")
        texts = FIELDS[self.field].texts
        for value in self.operands():
            if texts and value not in texts:
                raise ValueError(f"{self.field} is never {value!r}; it is one of {', '.join(texts)}")
        return self


class AttributeRule(Condition):
    """Compare something that your company stored of the account."""

    attribute: str = Field(min_length=1, max_length=MAX_TEXT, examples=["sector"])


class Owned(Strict):
    """Products, or lines, or categories."""

    products: Annotated[list[str], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    lines: Annotated[list[str], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    categories: Annotated[list[str], Field(min_length=1, max_length=MAX_VALUES)] | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Any:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("name products, or lines, or categories: one of them")
        return self

    @property
    def kind(self) -> str:
        """Which of the three is named."""
        return next(name for name, names in self if names is not None)


class OwnsRule(Strict):
    """It owns one of these."""

    owns: Owned


class AllRule(Strict):
    """Every one of these."""

    all: Annotated[list["Rule"], Field(min_length=1, max_length=MAX_CONDITIONS)]


class AnyRule(Strict):
    """At least one of these."""

    any: Annotated[list["Rule"], Field(min_length=1, max_length=MAX_CONDITIONS)]


class NotRule(Strict):
    """Not this."""

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True, serialize_by_alias=True)

    not_: "Rule" = Field(alias="not")


KINDS: Final = ("all", "any", "not", "owns", "field", "attribute")


def by_kind(kinds: Sequence[str]) -> Discriminator:
    """Tell rules apart by the one key that each has; a value with no such key, or several, is refused."""

    def kind_of(value: Any) -> str | None:
        if isinstance(value, dict):
            given = [kind for kind in kinds if kind in value]
        else:
            given = [kind for kind in kinds if hasattr(value, "not_" if kind == "not" else kind)]
        return given[0] if len(given) == 1 else None

    message = f"A rule is an object with exactly one of the keys {', '.join(kinds)}"
    return Discriminator(kind_of, custom_error_type="rule_kind", custom_error_message=message)


Rule = Annotated[
    Annotated[AllRule, Tag("all")]
    | Annotated[AnyRule, Tag("any")]
    | Annotated[NotRule, Tag("not")]
    | Annotated[OwnsRule, Tag("owns")]
    | Annotated[FieldRule, Tag("field")]
    | Annotated[AttributeRule, Tag("attribute")],
    by_kind(KINDS),
]


def bounded(value: Any) -> Any:
    """Refuse a rule that is nested too deeply, or has too many conditions, before it is validated."""
    n, level = 0, [value]
    for _ in range(MAX_DEPTH):
        n += sum(isinstance(rule, dict) for rule in level)
        level = [part for rule in level for part in _parts_of(rule)]
        if n > MAX_CONDITIONS:
            raise ValueError(f"has more than {MAX_CONDITIONS} conditions")
    if level:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    return _without_nulls(value)


def _without_nulls(rule: Any) -> Any:
    """Leave out null keys: clients that keep one class for all kinds of rule send the keys of the others as null."""
    if isinstance(rule, list):
        return [_without_nulls(part) for part in rule]
    if not isinstance(rule, dict):
        return rule
    given = {key: value for key, value in rule.items() if value is not None}
    return {**given, **{key: _without_nulls(given[key]) for key in ("all", "any", "not") if key in given}}


def _parts_of(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    parts = [value["not"]] if "not" in value else []
    for name in ("all", "any"):
        parts += value[name] if isinstance(value.get(name), list) else []
    return parts


BoundedRule = Annotated[Rule, BeforeValidator(bounded)]
"""A rule as callers send it."""

AllRule.model_rebuild()
AnyRule.model_rebuild()
NotRule.model_rebuild()


def parts_of(rule: Any) -> list[Any]:
    """Return the rules that a rule of any grammar combines; none for a condition."""
    for name in ("all", "any"):
        if hasattr(rule, name):
            parts: list[Any] = getattr(rule, name)
            return parts
    return [rule.not_] if hasattr(rule, "not_") else []


def conditions_of(rule: Any) -> Iterator[Any]:
    """Yield the conditions that a rule of any grammar is made of."""
    parts = parts_of(rule)
    if not parts:
        yield rule
    for part in parts:
        yield from conditions_of(part)


def reads_attributes(rule: Any) -> bool:
    """Tell whether a rule asks for what is stored under attributes."""
    return any(isinstance(condition, AttributeRule) for condition in conditions_of(rule))
