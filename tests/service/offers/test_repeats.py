"""What an account owns is offered again where a policy or the request allows it, when it is due, and at its own P."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.arbitration_options import ArbitrationOptions, Strategy
from service.base.time_zones import day_of
from service.offers.decide import Decision, decide_many
from service.offers.gathering import gather
from service.offers.reasons import ReasonCode, Source, WithheldCode
from service.offers.request import OfferFilter, OfferRequest
from service.readmodel.active_policies import ActivePolicies, PoliciesInUse
from service.readmodel.caps import CapUses
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contacts import Contacts
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.policies import PolicyScope
from service.readmodel.product_columns import ProductColumns
from service.readmodel.repurchases import RepurchaseMode, RepurchasePolicies, RepurchasePolicy
from tests.artifacts import ProductSpec, World, content_of

NOW: Final = datetime(2024, 3, 1, 12, tzinfo=UTC)
TODAY: Final = day_of(NOW, UTC)
LIMIT: Final = 20
DURABLE, CONSUMABLE, UNLIMITED = RepurchaseMode
BEANS, SYRUP = PolicyScope(products=["beans"]), PolicyScope(products=["syrup"])
PRODUCTS: Final = [
    ProductSpec("beans", price_minor=1000, currency="EUR", line="coffee", category="food"),
    ProductSpec("milk", price_minor=1000, currency="EUR", line="coffee", category="food"),
    ProductSpec("syrup", price_minor=1000, currency="EUR", line="coffee", category="sweet"),
    ProductSpec("grinder", family="grinders", tier=1, price_minor=1000, currency="EUR", line="machines"),
    ProductSpec("grinder-pro", family="grinders", tier=2, price_minor=1000, currency="EUR", line="machines"),
    ProductSpec("mug", price_minor=1000, currency="EUR"),
    ProductSpec("filter", price_minor=1000, currency="EUR"),
]
WORLD: Final = World(
    PRODUCTS,
    owned={"ann": ["beans", "syrup", "grinder", "grinder-pro"], "bob": ["beans"], "cid": []},
    neighbours={"beans": {"filter": 0.9, "mug": 0.5, "milk": 0.3}},
    popular=["milk", "beans", "mug", "filter", "syrup", "grinder", "grinder-pro"],
    relationships=[("beans", "substitute", "syrup", 9), ("mug", "accessory", "beans", 9)],
    rates={product.product_id: 0.05 for product in PRODUCTS},
    chances={"ann": {"filter": 0.4, "mug": 0.3, "milk": 0.2}},
    repeat_chances={"ann": {"beans": 0.35, "syrup": 0.25, "grinder": 0.02, "grinder-pro": 0.01}, "bob": {"beans": 0.6}},
    repeat_rates={product.product_id: 0.11 for product in PRODUCTS},
    last_days={"ann": {"beans": TODAY - 10, "syrup": TODAY - 40, "grinder": TODAY - 90, "grinder-pro": TODAY - 5}},
    intervals={"beans": 10.4, "syrup": 30},
)
STATE: Final = LiveState(content_of(WORLD), 0)
PLAIN: Final = ArbitrationOptions(is_up_sell_first=False)


def with_policies(*policies: RepurchasePolicy, state: LiveState = STATE) -> PoliciesInUse:
    empty = ActivePolicies.empty(state)
    over = RepurchasePolicies(policies, ProductColumns(state.part(CatalogueView)), state.content.repurchases)
    active = ActivePolicies(empty.policies, empty.accounts, empty.products, empty.switched_off, repurchases=over)
    return PoliciesInUse(active, Contacts.empty(state), CapUses.empty(state))


def decisions_for(
    requests: Sequence[OfferRequest], *policies: RepurchasePolicy, state: LiveState = STATE, **options: Any
) -> list[Decision]:
    given_options = replace(PLAIN, **{name: value for name, value in options.items() if name != "now"})
    now = options.get("now", NOW)
    return decide_many(gather(state, requests, given_options, now=now, policies=with_policies(*policies, state=state)))


def ask(*policies: RepurchasePolicy, account_id: str = "ann", state: LiveState = STATE, **fields: Any) -> Decision:
    options = {name: fields.pop(name) for name in ("strategy", "now") if name in fields}
    request = OfferRequest(account_id, LIMIT, explains_all=True, **fields)
    (decision,) = decisions_for([request], *policies, state=state, **options)
    return decision


def offered(decision: Decision) -> list[str]:
    return [offer["product_id"] for offer in decision.offers]


def reasons(decision: Decision) -> dict[str, WithheldCode | None]:
    return {each["product_id"]: each["reason"] for each in decision.considered or ()}


def test_without_a_policy_what_is_owned_is_withheld() -> None:
    decision = ask()

    assert offered(decision) == ["filter", "mug", "milk"]
    assert reasons(decision)["beans"] is WithheldCode.OWNED
    assert ask(RepurchasePolicy("all", DURABLE)) == decision


def test_what_may_be_bought_again_competes_by_its_own_probability() -> None:
    decision = ask(RepurchasePolicy("all", UNLIMITED))

    # All products are worth the same, so that P alone orders them.
    assert offered(decision) == ["filter", "beans", "mug", "syrup", "milk", "grinder", "grinder-pro"]
    propensities = [offer["arbitration"]["propensity"] for offer in decision.offers if offer["arbitration"]]
    assert propensities == pytest.approx([0.4, 0.35, 0.3, 0.25, 0.2, 0.02, 0.01])
    beans = decision.offers[1]
    assert (beans["relation"], beans["source_product_id"]) == (None, None)
    assert beans["reasons"] == [
        {"code": ReasonCode.BOUGHT_BEFORE, "text": "Bought before, last on 20 February 2024.", "product_ids": []}
    ]
    sources = {each["product_id"]: each["source"] for each in decision.considered or ()}
    assert {sources[product_id] for product_id in WORLD.owned["ann"]} == {Source.REPEAT}
    assert sources["filter"] is Source.PERSONALIZED


def test_a_repurchase_first_is_the_source_of_the_answer() -> None:
    decision = ask(RepurchasePolicy("all", UNLIMITED), account_id="bob")

    assert offered(decision)[0] == "beans"
    assert decision.source is Source.REPEAT
    assert decision.offers[0]["reasons"][0]["text"] == "Bought before.", "bob's day is not known"


@pytest.mark.parametrize(
    ("hours", "is_due"), [(0, False), (11, False), (12, True), (24, True)]
)  # fmt: skip
def test_a_consumable_is_due_when_its_learned_interval_has_passed(hours: int, is_due: bool) -> None:
    """Bought 10 days before noon, and bought again after 10.4 days: due with the 11th day."""
    decision = ask(RepurchasePolicy("x", CONSUMABLE, scope=BEANS), now=NOW + timedelta(hours=hours))

    assert ("beans" in offered(decision)) is is_due
    assert reasons(decision)["beans"] is (None if is_due else WithheldCode.BOUGHT_RECENTLY)
    assert reasons(decision)["syrup"] is WithheldCode.OWNED


@pytest.mark.parametrize(("after_days", "is_due"), [(10, True), (11, False)])
def test_given_days_stand_before_learned_ones(after_days: int, is_due: bool) -> None:
    assert ("beans" in offered(ask(RepurchasePolicy("x", CONSUMABLE, after_days, BEANS)))) is is_due


def test_a_consumable_without_any_interval_stays_owned() -> None:
    decision = ask(RepurchasePolicy("all", CONSUMABLE))

    assert offered(decision) == ["filter", "mug", "syrup", "milk"]
    assert reasons(decision)["beans"] is WithheldCode.BOUGHT_RECENTLY
    assert reasons(decision)["grinder"] is WithheldCode.OWNED


def test_the_most_specific_policy_counts_and_of_equal_ones_the_first() -> None:
    food, sweet = PolicyScope(categories=["food"]), PolicyScope(categories=["sweet"])
    policies = [
        RepurchasePolicy("a-all", DURABLE),
        RepurchasePolicy("b-line", UNLIMITED, scope=PolicyScope(lines=["coffee"])),
        RepurchasePolicy("c-food", DURABLE, scope=food),
        RepurchasePolicy("d-beans", UNLIMITED, scope=BEANS),
        RepurchasePolicy("e-beans", DURABLE, scope=BEANS),
        RepurchasePolicy("f-sweet", CONSUMABLE, 1, scope=sweet),
    ]

    assert offered(ask(*policies)) == offered(ask(*reversed(policies))) == ["filter", "beans", "mug", "syrup", "milk"]
    assert "beans" not in offered(ask(*policies[:3]))
    assert "syrup" in offered(ask(*policies[:2])), "by its line"


def test_a_policy_counts_while_it_is_in_force() -> None:
    policy = RepurchasePolicy("x", UNLIMITED, None, BEANS, NOW, NOW + timedelta(hours=2))

    seen = ["beans" in offered(ask(policy, now=NOW + timedelta(hours=hours))) for hours in (-1, 0, 1, 2)]

    assert seen == [False, True, True, False]


def test_no_rule_between_products_withholds_a_repurchase_of_the_very_product() -> None:
    owned_too = ask(RepurchasePolicy("x", UNLIMITED, scope=PolicyScope(products=["grinder"])))

    assert "grinder" in offered(owned_too), "a lower tier than the other grinder, but it is owned itself"
    assert "syrup" in offered(ask(RepurchasePolicy("x", UNLIMITED, scope=SYRUP))), "a substitute of beans"
    # ... nor does owning it let anything else pass.
    assert reasons(ask(RepurchasePolicy("x", UNLIMITED, scope=SYRUP), account_id="bob"))["syrup"] is (
        WithheldCode.SUBSTITUTE
    )


def test_other_rules_withhold_a_repurchase() -> None:
    everything = RepurchasePolicy("all", UNLIMITED)

    assert reasons(ask(everything, exclude=["beans"]))["beans"] is WithheldCode.EXCLUDED
    assert reasons(ask(everything, basket=["beans"]))["beans"] is WithheldCode.IN_BASKET


def test_an_empty_answer_says_when_to_ask_again() -> None:
    among = ["beans", "syrup"]
    policy = RepurchasePolicy("x", CONSUMABLE, 45, PolicyScope(products=among))

    decision = ask(policy, among=among)

    assert decision.offers == []
    assert decision.withheld == {WithheldCode.BOUGHT_RECENTLY: 2}
    # Syrup was bought 40 days before, so that it is due in five, from midnight.
    assert decision.no_offer is not None
    assert decision.no_offer["ask_again_at"] == datetime(2024, 3, 6, tzinfo=UTC)


def test_include_owned_ranks_all_that_is_not_called_durable() -> None:
    policies = [
        RepurchasePolicy("a", CONSUMABLE, 300, SYRUP),
        RepurchasePolicy("b", DURABLE, scope=PolicyScope(products=["grinder"])),
    ]

    decision = ask(*policies, includes_owned=True)

    assert offered(decision) == ["filter", "beans", "mug", "syrup", "milk", "grinder-pro"]
    assert reasons(decision)["grinder"] is WithheldCode.OWNED
    assert offered(ask(includes_owned=True)) == [
        "filter", "beans", "mug", "syrup", "milk", "grinder", "grinder-pro",
    ]  # fmt: skip


def test_a_batch_answers_each_request_as_if_it_were_alone() -> None:
    policies = RepurchasePolicy("x", CONSUMABLE, 30, SYRUP), RepurchasePolicy("y", UNLIMITED, scope=BEANS)
    requests = [
        OfferRequest(account_id, LIMIT, explains_all=True, includes_owned=includes_owned)
        for account_id in ("ann", "bob", "cid", None, "nobody-knows", "ann")
        for includes_owned in (False, True)
    ]
    # Without chances of baskets these are ranked by relevance, beside others that are ranked by priority.
    requests += [request._replace(basket=("mug",)) for request in requests]

    together = decisions_for(requests, *policies)

    assert together == [decisions_for([request], *policies)[0] for request in requests]
    assert together[0] != together[1]


def test_a_purchase_since_the_training_withholds_and_a_new_product_has_the_rate_of_its_owners() -> None:
    state = LiveState(content_of(WORLD), 0)
    policies = RepurchasePolicy("x", CONSUMABLE, 30, SYRUP), RepurchasePolicy("y", UNLIMITED)
    before = offered(ask(*policies, state=state))
    times = {"syrup": NOW - timedelta(hours=1), "milk": NOW - timedelta(days=3)}

    state.part(Ownership).replace("ann", ["syrup", "milk"], (), times)
    decision = ask(*policies, state=state)

    assert "syrup" in before
    assert reasons(decision)["syrup"] is WithheldCode.BOUGHT_RECENTLY
    propensity = {o["product_id"]: o["arbitration"]["propensity"] for o in decision.offers if o["arbitration"]}
    assert propensity["milk"] == pytest.approx(0.11), "the rate among its owners, since the artifact has no score"


def test_an_order_that_only_files_knew_before_keeps_the_later_day() -> None:
    state = LiveState(content_of(WORLD), 0, is_history_complete=False)

    state.part(Ownership).replace("ann", ["beans"], (), {"beans": NOW - timedelta(days=300)})
    live = state.part(Ownership).by_account["ann"]

    ids = state.content.products.ids
    days = {ids.texts[row]: day for row, day in zip(live.owned.tolist(), live.last_days.tolist(), strict=True)}
    assert days == WORLD.last_days["ann"]


def test_by_relevance_repeats_are_ranked_within_the_list_by_score() -> None:
    decision = ask(includes_owned=True, strategy=Strategy.RELEVANCE)

    scores = {**WORLD.scores("ann"), **WORLD.repeat_chances["ann"]}
    listed = offered(decision)
    assert listed == sorted(listed, key=lambda product_id: -scores[product_id])
    assert set(listed) == {"filter", "mug", "milk", *WORLD.owned["ann"]}


MODES = st.sampled_from([None, *RepurchaseMode])


@given(
    st.lists(
        st.tuples(MODES, st.none() | st.integers(1, 60), st.sampled_from(["product", "category", "line", "all"])),
        max_size=6,
    ),
    st.booleans(),
    st.integers(0, 60),
)
def test_modes_agree_with_a_plain_reading_of_the_policies(
    drawn: list[tuple[RepurchaseMode | None, int | None, str]], includes_owned: bool, days: int
) -> None:
    scopes = {
        "product": BEANS,
        "category": PolicyScope(categories=["food", "sweet"]),
        "line": PolicyScope(lines=["coffee", "machines"]),
        "all": None,
    }
    policies = [
        RepurchasePolicy(f"p{number}", mode, after if mode is CONSUMABLE else None, scopes[scope])
        for number, (mode, after, scope) in enumerate(drawn)
        if mode is not None
    ]
    now = NOW + timedelta(days=days)

    decision = ask(*policies, includes_owned=includes_owned, now=now)

    listed, withheld_for = offered(decision), reasons(decision)
    for spec in PRODUCTS:
        if spec.product_id not in WORLD.owned["ann"]:
            continue
        expected = expected_reason(spec, policies, includes_owned, TODAY + days)
        assert (spec.product_id in listed) is (expected is None), (spec.product_id, expected)
        assert withheld_for.get(spec.product_id) is expected or spec.product_id not in withheld_for


def expected_reason(
    spec: ProductSpec, policies: Sequence[RepurchasePolicy], includes_owned: bool, today: int
) -> WithheldCode | None:
    kinds = ("products", "categories", "lines")
    own = {"products": spec.product_id, "categories": spec.category, "lines": spec.line}
    about = [
        (kinds.index(policy.scope.kind) if policy.scope else len(kinds), policy.id, policy)
        for policy in policies
        if policy.scope is None or own[policy.scope.kind] in getattr(policy.scope, policy.scope.kind)
    ]
    if not about:
        return None if includes_owned else WithheldCode.OWNED
    policy = min(about, key=lambda each: each[:2])[2]
    learned = WORLD.intervals.get(spec.product_id)
    wait = policy.after_days if policy.after_days is not None else learned and int(np.ceil(learned))
    if policy.mode is DURABLE or (policy.mode is CONSUMABLE and wait is None):
        return WithheldCode.OWNED
    if policy.mode is UNLIMITED or includes_owned:
        return None
    is_due = today - WORLD.last_days["ann"][spec.product_id] >= (wait or 0)
    return None if is_due else WithheldCode.BOUGHT_RECENTLY


def test_without_policies_and_wishes_nothing_is_looked_up() -> None:
    request = OfferRequest("ann", LIMIT)

    assert gather(STATE, [request], PLAIN, now=NOW).repeats is None
    durable = with_policies(RepurchasePolicy("all", DURABLE))
    assert gather(STATE, [request], PLAIN, now=NOW, policies=durable).repeats is None


def test_a_filter_finds_what_is_bought_again_among_hundreds_of_owned_products() -> None:
    ids = [f"p{number:03}" for number in range(160)]
    rare = {"p150", "p159"}
    specs = [
        ProductSpec(each, price_minor=100, currency="EUR", category="rare" if each in rare else "usual") for each in ids
    ]
    scores = {each: (200 - number) / 400 for number, each in enumerate(ids)}
    world = replace(
        WORLD, products=specs, owned={"ann": ids}, neighbours={}, popular=ids, relationships=(),
        rates=dict.fromkeys(ids, 0.1), chances={}, repeat_chances={"ann": scores}, last_days={}, repeat_rates={},
    )  # fmt: skip
    state = LiveState(content_of(world), 0)

    filtered = ask(RepurchasePolicy("all", UNLIMITED), state=state, filter=OfferFilter(categories=("rare",)))

    assert offered(filtered) == ["p150", "p159"]
    assert offered(ask(RepurchasePolicy("all", UNLIMITED), state=state, among=["p159"])) == ["p159"]


def test_a_filter_on_relations_shows_the_relation_of_what_is_bought_again() -> None:
    world = replace(WORLD, relationships=[("grinder", "cross_sell", "beans", 9)])
    state, wanted = LiveState(content_of(world), 0), OfferFilter(relations=("cross_sell",))

    (offer,) = ask(RepurchasePolicy("all", UNLIMITED), state=state, filter=wanted).offers

    assert (offer["product_id"], offer["relation"], offer["source_product_id"]) == ("beans", "cross_sell", "grinder")
