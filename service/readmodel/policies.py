"""Policies as decisions apply them: rules are taken apart by what they depend on, account, request or product.

A *term* is a largest part of a rule that depends on one of the three. Terms are shared by all policies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import product as combinations
from typing import Any, Final, Literal

from service.readmodel.in_force import InForce
from service.readmodel.kleene import FALSE, TRUE, UNKNOWN, Node, compare, evaluate
from service.readmodel.policy_grammar import (
    ACCOUNT_CONDITIONS,
    PRODUCT_CONDITIONS,
    PolicyAllRule,
    PolicyAnyRule,
    PolicyNotRule,
    RequestRule,
)
from service.readmodel.rule_grammar import Owned

MAX_MIXED_TERMS: Final = 4
"""Terms of account and request in one rule: 3 ** 4 combinations of their values are worked out ahead."""
Subject = Literal["account", "request", "product"]


class PolicyType(StrEnum):
    """The question that a policy answers. Policies apply in the order of their types.

    Those of repurchase have no rule: see ``repurchases``.
    """

    ELIGIBILITY = "eligibility"
    APPLICABILITY = "applicability"
    SUITABILITY = "suitability"
    LIMIT = "limit"
    SUPPRESSION = "suppression"
    CAP = "cap"
    REPURCHASE = "repurchase"

    @property
    def is_engagement(self) -> bool:
        """Whether a rule decides what it withholds; otherwise what was offered, said, taken up or bought does."""
        return self in (PolicyType.ELIGIBILITY, PolicyType.APPLICABILITY, PolicyType.SUITABILITY)


class PolicyScope(Owned):
    """The products that a policy is about: products, or lines, or categories."""


@dataclass(frozen=True)
class Policy(InForce):
    """A policy that is switched on.

    is_requirement: whether products are offered only where the rule is true (``offer_only_if``), rather than withheld
                    where it is true (``withhold_if``). What is unknown withholds, either way.
    valid_until:    the first moment at which it is not in force any more.
    """

    id: str
    type: PolicyType
    rule: Any
    is_requirement: bool
    scope: PolicyScope | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Term:
    """Stands in for a part of a rule: its place among the terms of its subject."""

    subject: Subject
    number: int


@dataclass(frozen=True)
class CompiledPolicy:
    """A policy, and its rule over terms; or over terms and values, integers."""

    policy: Policy
    node: Any

    def terms(self, *subjects: Subject) -> list[Term]:
        """Return its distinct terms of some subjects."""
        terms = (leaf for leaf in _leaves_of(self.node) if isinstance(leaf, Term))
        return list(dict.fromkeys(term for term in terms if term.subject in subjects))


class PolicySet:
    """Policies in the order in which they apply, and their terms: conditions, or combinations of them."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._numbers: dict[tuple[Subject, str], Term] = {}
        self.terms: dict[Subject, list[Any]] = {"account": [], "request": [], "product": []}
        order = list(PolicyType)
        ordered = sorted(policies, key=lambda policy: (order.index(policy.type), policy.id))
        self.policies = [CompiledPolicy(policy, self._compile(to_node(policy.rule))) for policy in ordered]

    @property
    def account_keys(self) -> list[str]:
        """What each term of accounts asks: equal where the terms are."""
        return [repr(term) for term in self.terms["account"]]

    def for_any_request(self) -> "PolicySet":
        """Return policies that withhold what these withhold whatever the account's request is like.

        A part of a rule that asks for the request may be true as well as false, except for whether there is an account.
        The terms of accounts and products are the same.
        """
        if not self.terms["request"]:
            return self
        values = [_values_for_any_request(term) for term in self.terms["request"]]
        policies = PolicySet(())
        policies.terms = {**self.terms, "request": []}
        policies.policies = [replace(each, node=_for_any_request(each, values)) for each in self.policies]
        return policies

    def _compile(self, node: Any) -> Any:
        """Return a node in which terms stand in for the largest parts that have one subject."""
        subjects = subjects_of(node)
        if len(subjects) == 1:
            return self._term(subjects.pop(), node)
        if node.operator == "not":
            return Node("not", (self._compile(node.parts[0]),))
        parts: list[Any] = []
        grouped: dict[Subject, list[Any]] = {}
        for part in node.parts:
            subjects = subjects_of(part)
            if len(subjects) == 1:
                grouped.setdefault(subjects.pop(), []).append(part)
            else:
                parts.append(self._compile(part))
        for subject, pure in grouped.items():
            parts.append(self._term(subject, pure[0] if len(pure) == 1 else Node(node.operator, tuple(pure))))
        return Node(node.operator, tuple(parts))

    def _term(self, subject: Subject, node: Any) -> Term:
        key, terms = (subject, repr(node)), self.terms[subject]
        if key not in self._numbers:
            self._numbers[key] = Term(subject, len(terms))
            terms.append(node)
        return self._numbers[key]


def _values_for_any_request(term: Any) -> tuple[int, ...]:
    """Return the values that a term of requests may have in a request of some account, if all of it is known."""
    value = int(evaluate(term, _value_for_any_request))
    return (FALSE, TRUE) if value == UNKNOWN else (value,)


def _value_for_any_request(condition: Any) -> int:
    has_account = isinstance(condition, RequestRule) and condition.request == "has_account"
    return compare(condition, True) if has_account else UNKNOWN


def _for_any_request(compiled: CompiledPolicy, values: Sequence[tuple[int, ...]]) -> Any:
    """Return a policy's rule without its terms of requests: it lets pass what any of their values lets pass."""
    terms = compiled.terms("request")
    parts = [
        _with_values(compiled.node, dict(zip(terms, combination, strict=True)))
        for combination in combinations(*(values[term.number] for term in terms))
    ]
    return Node("any" if compiled.policy.is_requirement else "all", tuple(parts))


def _with_values(node: Any, values: Mapping[Term, int]) -> Any:
    if isinstance(node, Node):
        return Node(node.operator, tuple(_with_values(part, values) for part in node.parts))
    return values.get(node, node)


def to_node(rule: Any) -> Any:
    """Return a rule as a node; a condition as it is."""
    match rule:
        case PolicyAllRule():
            return Node("all", tuple(map(to_node, rule.all)))
        case PolicyAnyRule():
            return Node("any", tuple(map(to_node, rule.any)))
        case PolicyNotRule():
            return Node("not", (to_node(rule.not_),))
    return rule


def subjects_of(node: Any) -> set[Subject]:
    """Return what a node depends on."""
    return {_subject_of(condition) for condition in _leaves_of(node)}


def _subject_of(condition: Any) -> Subject:
    if isinstance(condition, ACCOUNT_CONDITIONS):
        return "account"
    return "product" if isinstance(condition, PRODUCT_CONDITIONS) else "request"


def _leaves_of(node: Any) -> Iterator[Any]:
    if not isinstance(node, Node):
        yield node
        return
    for part in node.parts:
        yield from _leaves_of(part)


def leaves_of(node: Any) -> list[Any]:
    """Return the conditions of a node."""
    return list(_leaves_of(node))
