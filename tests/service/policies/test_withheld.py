"""What policies withhold, against a plain evaluation of every pair of account and product."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.artifact.customers import TIERS
from service.offers.decide import decide_many
from service.offers.gathering import gather
from service.offers.reasons import WithheldCode
from service.offers.request import OfferRequest
from service.policies.schemas import PolicyIn
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.active_policies import NO_SWITCHES, ActivePolicies, PoliciesInUse
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.parent_attributes import ParentAttributes
from service.readmodel.policies import Policy, PolicySet, PolicyType
from service.readmodel.policy_accounts import (
    AccountColumns,
    AccountTerms,
    attribute_columns,
    attribute_names,
    parent_attribute_names,
)
from service.readmodel.policy_products import ProductPolicies
from service.readmodel.product_columns import ProductColumns
from service.readmodel.product_index import ProductInfo, ProductRow
from service.readmodel.segment_membership import STRATEGIC_DEFINITION, SegmentMembership
from tests.artifacts import ProductSpec, World, content_of
from tests.sold import sold_content

NOW: Final = datetime(2024, 3, 1, 12, tzinfo=UTC)
LIMIT: Final = 50
"""More than there are products: every one of them is offered, or withheld."""
ATTRIBUTES: Final[dict[str, dict[str, Any]]] = {
    "a0": {"country": "US", "size": 12},
    "a1": {"country": "DE", "size": None},
    "a2": {"size": 700, "flags": ["risk", "late"]},
    "a3": {"country": 49, "size": "many"},
    "new": {"country": "US", "flags": []},
}
PRODUCT_ATTRIBUTES: Final[dict[str, dict[str, Any]]] = {
    "beans": {"origin": ["BR", "PE"], "weight": 500},
    "milk": {"origin": "NL"},
    "mug": {"weight": "heavy"},
}
PARENTS: Final = {"a0": "a3", "a1": "a0", "a3": "a2", "new": "a44", "a55": "new", "a5": "nobody-described"}
CATEGORIES: Final = {"beans": "food", "milk": "food", "mug": "ware", "kettle": "ware"}
MARGINS: Final = {"beans": 300, "grinder": 0, "kettle": 2000, "milk": -5}
ACCOUNTS: Final = (None, "a0", "a1", "a2", "a3", "a44", "a55", "new", "nobody-knows", "nobody-described")
WEB: Final[dict[str, str | int]] = {"channel": "web", "visits": 3}
REQUESTS: Final = [
    request
    for account_id in ACCOUNTS
    for request in (
        OfferRequest(account_id, LIMIT),
        OfferRequest(account_id, LIMIT, ("beans", "mug"), placement="checkout", context=WEB),
    )
]


def make_state() -> LiveState:
    state = LiveState(sold_content(), 0)
    view = state.part(CatalogueView)
    infos = [view.products.info(ProductRow(row)) for row in range(len(view.products.is_active))]
    changed = {
        info.product_id: replace(
            info, category=CATEGORIES.get(info.product_id, ""), margin_minor=MARGINS.get(info.product_id)
        )
        for info in infos
    }
    view = view.with_products(changed)
    state.replace_part(view.with_all_attributes({key: orjson.dumps(of) for key, of in PRODUCT_ATTRIBUTES.items()}))
    state.part(AccountHierarchy).replace((), PARENTS)
    membership = state.part(SegmentMembership)
    membership.set_strategic((), {"a1", "new"})
    membership.add_newcomers(["new"])
    membership.define([STRATEGIC_DEFINITION], {})
    return state


STATE: Final = make_state()
CONTENT: Final = STATE.content
PRODUCTS: Final = {
    info.product_id: info
    for row in range(len(STATE.part(CatalogueView).products.is_active))
    if (info := STATE.part(CatalogueView).products.info(ProductRow(row)))
}


WITHOUT: Final = decide_many(gather(STATE, REQUESTS))


def in_use(active: ActivePolicies) -> PoliciesInUse:
    return PoliciesInUse.from_state(STATE)._replace(active=active)


def activate(policies: Sequence[Policy], state: LiveState = STATE) -> ActivePolicies:
    """Make policies as the live section does, from the attributes of this module."""
    compiled = PolicySet(policies)
    terms = compiled.terms["account"]
    names = attribute_names(terms)
    known = list(state.content.account_ids.texts)
    nodes = np.unique(state.part(AccountHierarchy).now.starts)
    parent_ids = list(map(state.part(AccountHierarchy).now.account_of, nodes.tolist()))
    parents = ParentAttributes(nodes, attribute_columns(parent_attribute_names(terms), parent_ids, ATTRIBUTES))
    columns = AccountColumns.of_artifact(state, attribute_columns(names, known, ATTRIBUTES), parents)
    accounts = AccountTerms(state, terms, columns.values_of(terms))
    others = ["new", "nobody-described"]
    accounts.place(state, others, attribute_columns(names, others, ATTRIBUTES), parents)
    products = ProductPolicies(compiled, ProductColumns(state.part(CatalogueView)))
    return ActivePolicies(compiled, accounts, products, NO_SWITCHES)


# What is expected: every value as Python has it, and None for what is not known.


def value_of_field(row: int | None, account_id: str, name: str) -> Any:
    if name == "is_strategic":
        return account_id in {"a1", "new"}
    if row is None:
        return None
    customers = CONTENT.customers
    if name == "purchase_days":
        return int(customers.n_purchases[row])
    code = int(customers.revenue_tier[row])
    return None if code < 0 else TIERS[code]


def compared(rule: Mapping[str, Any], value: Any) -> bool | None:
    op: str = rule["op"]
    if op == "is_known":
        return value is not None
    if value is None:
        return None
    if op in ("lt", "ge"):
        if not is_number(value) or not is_number(rule["value"]):
            return None
        return bool(value < rule["value"]) == (op == "lt")
    operands = rule["values"] if "values" in rule else [rule["value"]]
    values = value if isinstance(value, list) else [value]
    pairs = [(a, b) for a in values for b in operands if is_number(a) == is_number(b)]
    if values and not pairs:
        return None
    is_equal = any(a == b for a, b in pairs)
    return is_equal if op in ("eq", "in") else not is_equal


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_of_product(info: ProductInfo, name: str) -> Any:
    if name != "margin_rate":
        value = getattr(info, name)
        return None if value == "" else value
    return info.margin_minor / info.price_minor if info.margin_minor is not None and info.price_minor else None


def holds(rule: Mapping[str, Any], request: OfferRequest, product_id: str) -> bool | None:  # noqa: C901
    match rule:
        case {"all": parts}:
            values = [holds(part, request, product_id) for part in parts]
            return False if False in values else None if None in values else True
        case {"any": parts}:
            values = [holds(part, request, product_id) for part in parts]
            return True if True in values else None if None in values else False
        case {"not": part}:
            value = holds(part, request, product_id)
            return None if value is None else not value
        case {"product": name}:
            return compared(rule, value_of_product(PRODUCTS[product_id], name))
        case {"product_attribute": name}:
            return compared(rule, PRODUCT_ATTRIBUTES.get(product_id, {}).get(name))
        case {"request": "placement"}:
            return compared(rule, request.placement)
        case {"request": "has_account"}:
            return bool((request.account_id is not None) == rule["value"])
        case {"request": "basket_size"}:
            return compared(rule, len(request.basket))
        case {"context": key}:
            return compared(rule, request.context.get(key))
    account_id = request.account_id
    if account_id is None:
        return False if rule.get("op") == "is_known" else None
    row = CONTENT.account_ids.row_of(account_id)
    match rule:
        case {"field": name}:
            return compared(rule, value_of_field(row, account_id, name))
        case {"attribute": name, "by": "parent"}:
            return compared(rule, inherited(PARENTS[account_id], name)) if account_id in PARENTS else False
        case {"attribute": name}:
            return compared(rule, ATTRIBUTES.get(account_id, {}).get(name))
        case {"owns": {"products": names}}:
            return not owned_by(related(account_id, rule.get("by"))).isdisjoint(names)
    return any_of([in_segment(segment_id, account_id, row) for segment_id in rule["in_segment"]])


def owned_by(account_ids: Iterable[str]) -> set[str]:
    rows = [row for account_id in account_ids if (row := CONTENT.account_ids.row_of(account_id)) is not None]
    return {CONTENT.products.ids.texts[product] for row in rows for product in CONTENT.owned_by(row)}


def inherited(account_id: str, name: str) -> Any:
    """What is stored of an account, or else of the nearest one above that has it."""
    value = ATTRIBUTES.get(account_id, {}).get(name)
    return inherited(PARENTS[account_id], name) if value is None and account_id in PARENTS else value


def related(account_id: str, relation: str | None) -> set[str]:
    if relation is None:
        return {account_id}
    if relation == "parent":
        parent = PARENTS.get(account_id)
        return set() if parent is None else {parent} | related(parent, relation)
    children = [child for child, parent in PARENTS.items() if parent == account_id]
    return {account_id}.union(*(related(child, relation) for child in children))


def any_of(values: Sequence[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def in_segment(segment_id: str, account_id: str, row: int | None) -> bool | None:
    if segment_id == "strategic.accounts":
        return None if account_id.startswith("nobody") else account_id in {"a1", "new"}
    if row is None:
        return None
    return bool(CONTENT.segments.codes_in("revenue-tier", np.array([row]))[0] == 0)


def withholding(policies: Sequence[PolicyIn], request: OfferRequest, product_id: str, now: datetime) -> str | None:
    """The policy that withholds a product, in the order of types and identifiers."""
    info = PRODUCTS[product_id]
    order = list(PolicyType)
    for policy in sorted(policies, key=lambda policy: (order.index(policy.type), policy.policy_id)):
        named = policy.scope.model_dump(exclude_none=True) if policy.scope else {}
        scopes = {"products": product_id, "lines": info.line, "categories": info.category}
        is_in_scope = all(scopes[kind] in names for kind, names in named.items())
        begun = policy.valid_from is None or policy.valid_from <= now
        ended = policy.valid_until is not None and policy.valid_until <= now
        definition = policy.definition()
        if is_in_scope and policy.is_enabled and begun and not ended:
            is_requirement = "offer_only_if" in definition
            value = holds(definition["offer_only_if" if is_requirement else "withhold_if"], request, product_id)
            if value is not is_requirement:
                return policy.policy_id
    return None


def comparison(subject: dict[str, str], values: Sequence[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(values)
    alone = st.tuples(st.sampled_from(["eq", "ne"]), one).map(lambda pair: {"op": pair[0], "value": pair[1]})
    many = st.tuples(st.sampled_from(["in", "not_in"]), st.lists(one, min_size=1, max_size=2)).map(
        lambda pair: {"op": pair[0], "values": pair[1]}
    )
    kinds = [alone, many, st.just({"op": "is_known"})]
    if numbers := [value for value in values if is_number(value)]:
        kinds.append(
            st.tuples(st.sampled_from(["lt", "ge"]), st.sampled_from(numbers)).map(
                lambda pair: {"op": pair[0], "value": pair[1]}
            )
        )
    return st.one_of(kinds).map(lambda rule: {**subject, **rule})


LEAVES: Final = st.one_of(
    comparison({"field": "purchase_days"}, [0, 3, 9]),
    comparison({"field": "revenue_tier"}, ["A", "C"]),
    st.just({"field": "is_strategic", "op": "eq", "value": True}),
    comparison({"attribute": "country"}, ["US", "DE"]),
    comparison({"attribute": "size"}, [12, 100]),
    comparison({"attribute": "flags"}, ["risk"]),
    comparison({"attribute": "country", "by": "parent"}, ["US", "DE"]),
    comparison({"attribute": "size", "by": "parent"}, [12, 100]),
    st.just({"owns": {"products": ["kettle", "mug"]}}),
    st.sampled_from([["kettle"], ["grinder", "mug"]]).map(lambda names: {"owns": {"products": names}, "by": "parent"}),
    st.sampled_from([["kettle"], ["grinder", "mug"]]).map(lambda names: {"owns": {"products": names}, "by": "group"}),
    st.sampled_from([["strategic.accounts"], ["revenue-tier.a"], ["revenue-tier.a", "strategic.accounts"]]).map(
        lambda names: {"in_segment": names}
    ),
    comparison({"product": "product_id"}, ["beans", "mug"]),
    comparison({"product": "category"}, ["food", "ware"]),
    comparison({"product": "line"}, ["coffee"]),
    comparison({"product": "family"}, ["grinders"]),
    comparison({"product": "tier"}, [1, 2]),
    comparison({"product": "price_minor"}, [350, 2900]),
    comparison({"product": "margin_minor"}, [0, 300]),
    comparison({"product": "margin_rate"}, [0.2]),
    comparison({"product_attribute": "origin"}, ["BR", "NL"]),
    comparison({"product_attribute": "weight"}, [500, 900]),
    comparison({"request": "placement"}, ["checkout"]),
    st.booleans().map(lambda value: {"request": "has_account", "op": "eq", "value": value}),
    comparison({"request": "basket_size"}, [1, 2]),
    comparison({"context": "channel"}, ["web", "mail"]),
    comparison({"context": "visits"}, [3]),
)
RULES: Final = st.recursive(
    LEAVES,
    lambda rule: st.one_of(
        st.lists(rule, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(rule, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        rule.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
TIMES: Final = st.sampled_from([None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])
SCOPES: Final = st.sampled_from(
    [None, {"products": ["beans", "grinder"]}, {"lines": ["coffee"]}, {"categories": ["ware", "food"]}]
)


@st.composite
def policies(draw: st.DrawFn) -> list[PolicyIn]:
    made: list[PolicyIn] = []
    for number in range(draw(st.integers(1, 4))):
        given_policy = {
            "policy_id": f"p-{number}",
            "name": f"Policy {number}",
            "type": draw(st.sampled_from([each for each in PolicyType if each.is_engagement])),
            "is_enabled": draw(st.sampled_from([True, True, True, False])),
            "valid_from": draw(TIMES),
            "valid_until": draw(TIMES),
            "scope": draw(SCOPES),
            draw(st.sampled_from(["offer_only_if", "withhold_if"])): draw(RULES),
        }
        # Never in force, or too many terms: refused where it is stored.
        with suppress(ValidationError):
            made.append(PolicyIn.model_validate(given_policy))
    return made


@given(policies())
def test_a_withheld_candidate_never_appears_and_nothing_else_is_withheld(made: list[PolicyIn]) -> None:
    active = activate([policy.policy(policy.policy_id or "") for policy in made if policy.is_enabled])

    decisions = decide_many(gather(STATE, REQUESTS, policies=in_use(active), now=NOW))

    for request, before, decision in zip(REQUESTS, WITHOUT, decisions, strict=True):
        candidates = [offer["product_id"] for offer in before.offers]
        reasons = {product_id: withholding(made, request, product_id, NOW) for product_id in candidates}
        # Their order may differ: with one of a family withheld, another of it is no longer similar to an offer.
        assert {offer["product_id"] for offer in decision.offers} == {
            product_id for product_id in candidates if reasons[product_id] is None
        }
        withheld = [reason for reason in reasons.values() if reason is not None]
        assert decision.withheld_by_policy == {reason: withheld.count(reason) for reason in set(withheld)}
    alone = decide_many(gather(STATE, REQUESTS[2:3], policies=in_use(active), now=NOW))
    assert alone == decisions[2:3]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"attribute": "country", "op": "not_in", "values": ["US"]}, {"a0": True, "a1": False, "a2": False}),
        ({"not": {"attribute": "country", "op": "in", "values": ["US"]}}, {"a0": True, "a1": False, "a2": False}),
        ({"any": [{"attribute": "country", "op": "eq", "value": "DE"}, {"attribute": "size", "op": "gt", "value": 5}]},
         {"a0": False, "a1": False, "a2": False, "nobody-knows": False}),
    ],
)  # fmt: skip
def test_what_is_not_known_withholds(rule: dict[str, Any], expected: dict[str, bool]) -> None:
    active = activate([PolicyIn(name="x", type=PolicyType.ELIGIBILITY, withhold_if=rule).policy("x")])

    for account_id, is_offered in expected.items():
        facts = gather(STATE, [OfferRequest(account_id, LIMIT)], policies=in_use(active))
        assert bool(decide_many(facts)[0].offers) is is_offered, account_id


def test_each_of_hundreds_of_policies_is_told_apart() -> None:
    withholding_one = 237
    active = activate(
        [
            PolicyIn.model_validate(
                {
                    "name": str(number),
                    "type": "suitability",
                    "scope": {"products": ["kettle"]},
                    "withhold_if": {"attribute": "size", "op": "eq", "value": 12 + number - withholding_one},
                }
            ).policy(f"p-{number}")
            for number in range(300)
        ]
    )

    (decision,) = decide_many(gather(STATE, [OfferRequest("a0", LIMIT)], policies=in_use(active)))

    assert decision.withheld_by_policy == {f"p-{withholding_one}": 1}
    assert decision.withheld[WithheldCode.POLICY_SUITABILITY] == 1


def test_a_policy_withholds_what_is_owned_where_owned_products_are_ranked() -> None:
    rule = {"product": "product_id", "op": "in", "values": ["kettle", "scale"]}
    policy = PolicyIn.model_validate({"name": "x", "type": "suitability", "withhold_if": rule}).policy("x")
    request = OfferRequest("a44", LIMIT, includes_owned=True)
    assert "kettle" in owned_by(["a44"])

    ranked = [
        {offer["product_id"] for offer in decide_many(facts)[0].offers}
        for facts in (
            gather(STATE, [request]),
            gather(STATE, [request], policies=in_use(activate([policy]))),
        )
    ]

    assert ranked[0] - ranked[1] == {"kettle", "scale"}
    assert owned_by(["a44"]) - {"kettle"} <= ranked[1]


def test_what_policies_leave_of_a_large_catalogue_is_found() -> None:
    ids = [f"p{number:03}" for number in range(400)]
    world = World([ProductSpec(product_id) for product_id in ids], {"x": ["p000"], "y": []}, {}, ids)
    state, left = LiveState(content_of(world), 0), ["p150", "p399"]
    rule = {"product": "product_id", "op": "in", "values": left}
    policy = PolicyIn.model_validate({"name": "z", "type": "eligibility", "offer_only_if": rule}).policy("z")

    active = activate([policy], state)
    requests = [OfferRequest(account_id, 3) for account_id in ("x", "y", None)]

    for decision in decide_many(gather(state, requests, policies=in_use(active))):
        assert [offer["product_id"] for offer in decision.offers] == left
        assert decision.withheld_by_policy["z"] >= 31
