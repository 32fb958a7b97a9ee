"""Check, when a rule is written, that what it compares can be equal or be ordered at all.

An attribute has the types that its stored values have: numbers, texts, dates (texts in ISO 8601), flags. JSON has no
dates, and files are often imported as texts, so that a number is easily compared with the text of a number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from service.base.errors import DomainError
from service.readmodel.rule_evaluation import iso_time, kind_of_value
from service.readmodel.rule_grammar import ORDERED, AttributeRule, conditions_of

_NAMES: Final = {
    "number": "a number", "text": "a text", "date": "a date", "flag": "true or false", "other": "a list or an object",
}  # fmt: skip
_MAX_SHOWN: Final = 40


class RuleNeverMatches(DomainError):
    """A rule compares an attribute in a way that no stored value can satisfy."""

    code = "rule-never-matches"


@dataclass
class AttributeTypes:
    """How many accounts have a value of each type under one key, and an example of each type."""

    accounts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Any] = field(default_factory=dict)

    def add(self, value: object) -> None:
        """Count one account's value; None is none."""
        if value is not None:
            kind = _type_of(value)
            self.accounts[kind] += 1
            self.examples.setdefault(kind, value)

    def described(self) -> str:
        """Say it in words, the most frequent type first."""
        parts = [
            f"{_NAMES[kind]} in {n:,} account{'s' if n != 1 else ''} (such as {_shown(self.examples[kind])})"
            for kind, n in self.accounts.most_common()
        ]
        return " and ".join(parts)


def check_attributes(rule: Any, attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise RuleNeverMatches for the first comparison of a rule with an attribute that nobody has, or of another type.

    attributes: what is stored of each account.
    """
    conditions = [condition for condition in conditions_of(rule) if isinstance(condition, AttributeRule)]
    types = types_of({condition.attribute for condition in conditions}, attributes.values())
    for condition in conditions:
        known = types[condition.attribute]
        if not known.accounts:
            raise RuleNeverMatches(_unknown(condition.attribute, attributes.values()))
        for operand in condition.operands():
            _check_operand(condition, operand, known)


def types_of(names: Iterable[str], attributes: Iterable[Mapping[str, Any]]) -> dict[str, AttributeTypes]:
    """Return the types of some attributes over all accounts."""
    types = {name: AttributeTypes() for name in names}
    for stored in attributes:
        for name, counted in types.items():
            counted.add(stored.get(name))
    return types


def _check_operand(rule: AttributeRule, operand: Any, known: AttributeTypes) -> None:
    kind = _type_of(operand)
    if rule.op in ORDERED and kind == "text":
        number = _number_in(operand)
        advice = (
            f"write the number without quotes: {number}"
            if number
            else "compare texts with eq, ne, in or not_in; write dates like 2024-01-31"
        )
        raise RuleNeverMatches(f"{_compared(rule, operand, known)} {rule.op} orders numbers and dates: {advice}.")
    # Texts and dates are both stored as texts, which can be equal.
    comparable = {"text", "date"} if kind in ("text", "date") and rule.op not in ORDERED else {kind}
    if not comparable & known.accounts.keys():
        raise RuleNeverMatches(f"{_compared(rule, operand, known)} {_advice(kind, operand, known)}")


def _compared(rule: AttributeRule, operand: Any, known: AttributeTypes) -> str:
    return (
        f"The attribute {rule.attribute!r} is {known.described()}, but the rule compares it by {rule.op} with "
        f"{_shown(operand)}, which is {_NAMES[_type_of(operand)]}: nothing can match."
    )


def _advice(kind: str, operand: Any, known: AttributeTypes) -> str:
    number = _number_in(operand) if "number" in known.accounts else None
    if number:
        return f"Write the number without quotes: {number}."
    if kind == "number":
        return "Import the attribute as numbers (in JSON, without quotes), or compare it with a text in quotes."
    if kind == "flag":
        return "Import the attribute as true and false (in JSON, without quotes), or compare it with its own values."
    if kind == "date":
        return "Import the attribute as dates like 2024-01-31, or compare it with its own values."
    return "Compare it with a value of its own type."


def _unknown(name: str, attributes: Iterable[Mapping[str, Any]]) -> str:
    names = {key for stored in attributes for key in stored}
    close = get_close_matches(name, sorted(names), 3)
    hint = f" Did you mean {', '.join(close)}?" if close else " Import the attribute first."
    return f"No account has an attribute {name!r}: nothing can match.{hint}"


def _type_of(value: object) -> str:
    kind = kind_of_value(value)
    if kind == "text" and iso_time(value) is not None:
        return "date"
    return kind or "other"


def _number_in(value: object) -> str | None:
    """The number that a text holds, as it is written in JSON."""
    try:
        return str(value).strip() if isinstance(value, str) and float(value) == float(value) else None
    except ValueError:
        return None


def _shown(value: object) -> str:
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
