"""How candidates compete: by what they are worth and how likely they are bought, and not all of one kind."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import NO_VARIANTS, BasketChances
from service.base.arbitration_options import ArbitrationOptions, Strategy
from service.base.settings import Settings
from service.offers.considered import Outcome
from service.offers.decide import Decision, decide, decide_many
from service.offers.diversity import ProductGroups, select_diverse
from service.offers.gathering import gather
from service.offers.no_offer import NoOffer
from service.offers.reasons import WithheldCode
from service.offers.request import OfferRequest
from service.readmodel.availability import Availability, ProductAvailability
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.product_index import NO_FAMILY, ProductRow
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship
from service.readmodel.text_codes import NO_TEXT
from tests.artifacts import ProductSpec, World, coffee_world, content_of
from tests.service.conftest import NOON, SHOP_ORIGIN, make_key, running

RATES = {
    "beans": 0.3, "grinder": 0.05, "grinder-pro": 0.01, "filter": 0.2, "kettle": 0.04,
    "scale": 0.06, "mug": 0.1, "milk": 0.25, "retired": 0.5, "syrup": 0.02,
}  # fmt: skip
WORLD = replace(coffee_world(), rates=RATES, chances={"ann": {"filter": 0.4, "grinder-pro": 0.02, "scale": 0.12}})
MARGIN_RATE = 0.5


def decide_in(world: World, account_id: str | None = "ann", limit: int = 10, **options: Any) -> Decision:
    """Decide for an account; half of each price is margin."""
    given = ArbitrationOptions(margin_rate=MARGIN_RATE, max_value_ratio=1e9, **options)
    return decide(gather(LiveState(content_of(world), 0), [OfferRequest(account_id, limit)], given))


def offered(decision: Decision) -> list[str]:
    """The offered products in order."""
    return [offer["product_id"] for offer in decision.offers]


def test_offers_are_ordered_by_propensity_times_value() -> None:
    decision = decide_in(WORLD)

    figures = [offer["arbitration"] for offer in decision.offers]
    priorities = [figure["priority"] for figure in figures if figure is not None]
    assert decision.strategy is Strategy.EXPECTED_VALUE
    # P times half the price: 199.00 * .02, 29.00 * .12, 3.50 * .4, 1.99 * .25, in cents.
    by_id = {offer["product_id"]: offer["arbitration"] for offer in decision.offers}
    assert by_id["grinder-pro"] is not None
    assert by_id["grinder-pro"] == {
        "propensity": pytest.approx(0.02),
        "value_minor": 9950,
        "value_basis": "default-margin-rate",
        "currency": "EUR",
        "context": 1.0,
        "lever": 1.0,
        "lever_parts": [],
        "priority": pytest.approx(0.02 * 9950),
    }
    assert offered(decision)[:2] == ["grinder-pro", "scale"]
    assert priorities == sorted(priorities, reverse=True)


def test_the_four_factors_multiply_exactly_to_the_priority() -> None:
    for offer in decide_in(WORLD).offers:
        figures = offer["arbitration"]
        assert figures is not None
        product = figures["propensity"] * figures["value_minor"] * figures["context"] * figures["lever"]
        assert product == figures["priority"]


def test_by_propensity_the_most_likely_comes_first() -> None:
    decision = decide_in(WORLD, strategy=Strategy.PROPENSITY)

    assert offered(decision)[:2] == ["filter", "milk"]
    figures = [offer["arbitration"] for offer in decision.offers]
    chances = [figure["propensity"] for figure in figures if figure is not None]
    assert chances == sorted(chances, reverse=True)


def test_by_relevance_the_order_is_the_model_s() -> None:
    decision = decide_in(WORLD, strategy=Strategy.RELEVANCE)

    assert offered(decision) == offered(decide_in(replace(WORLD, rates={}, chances={})))
    assert decision.offers[0]["arbitration"] is not None


def test_without_propensities_the_order_is_the_model_s_and_the_answer_says_so() -> None:
    decision = decide_in(replace(WORLD, rates={}, chances={}))

    assert decision.strategy is Strategy.RELEVANCE
    assert [offer["arbitration"] for offer in decision.offers] == [None] * len(decision.offers)


def test_an_upgrade_goes_first_and_then_what_is_promoted_whatever_they_are_worth() -> None:
    state = LiveState(content_of(replace(WORLD, relationships=[("beans", "up_sell", "syrup", 6)])), 0)
    promoted = {"beans": {"milk": CuratedRelationship(Relation.CROSS_SELL, is_banned=False)}}
    state.replace_part(state.part(CatalogueView).with_curated(promoted))
    request = OfferRequest("ann", 3)

    with_upgrades_first = offered(decide(gather(state, [request])))
    by_value = offered(decide(gather(state, [request], ArbitrationOptions(is_up_sell_first=False))))

    assert with_upgrades_first == ["syrup", "milk", "grinder-pro"]
    assert by_value == ["milk", "grinder-pro", "scale"]


def test_what_is_below_the_floor_is_withheld_and_nothing_else_takes_its_place() -> None:
    everything = decide_in(WORLD)

    likely = decide_in(WORLD, min_propensity=0.1)
    valuable = decide_in(WORLD, min_expected_value_minor=100)
    nothing = decide_in(WORLD, min_propensity=0.9)

    def passing(least: float, figure: str) -> list[str]:
        return [
            offer["product_id"]
            for offer in everything.offers
            if (figures := offer["arbitration"]) is not None and figures[figure] >= least  # type: ignore[literal-required]
        ]

    assert offered(likely) == passing(0.1, "propensity")
    assert offered(valuable) == passing(100, "priority")
    assert likely.withheld[WithheldCode.BELOW_FLOOR] > 0
    assert nothing.offers == []


def with_basket_chances(world: World, horizon_days: float = 90) -> LiveState:
    """P of a neighbour with score s is s / (s + e); of any other product twice its rate in orders, 1 in 50."""
    content = content_of(world)
    weights = np.array([1, 0, 0, 0, -1, 2], dtype=np.float32)
    rates = np.full(len(content.products.ids), 0.02, dtype=np.float32)
    report = json.loads(content.report) | {"propensity": {"horizon_days": horizon_days}}
    customers = replace(
        content.customers,
        n_purchases=np.full(len(content.account_ids), 9, dtype=np.int32),
        first_day=np.zeros(len(content.account_ids), dtype=np.int32),
        last_day=np.full(len(content.account_ids), 180, dtype=np.int32),
    )
    chances = BasketChances(weights, rates)
    return LiveState(
        replace(content, basket_chances=chances, report=json.dumps(report).encode(), customers=customers), 0
    )


def propensities_of(decision: Decision) -> dict[str, float]:
    """The probability that each offer shows."""
    return {
        offer["product_id"]: offer["arbitration"]["propensity"] for offer in decision.offers if offer["arbitration"]
    }


def test_add_ons_are_ranked_by_how_likely_each_is_to_be_the_next_in_the_basket() -> None:
    state = with_basket_chances(WORLD)
    options = ArbitrationOptions(strategy=Strategy.PROPENSITY)

    decision = decide(gather(state, [OfferRequest(None, 10, ["beans"])], options))

    chances = propensities_of(decision)
    for product_id in ("filter", "grinder", "milk", "mug"):
        score = WORLD.neighbours["beans"][product_id]
        assert chances[product_id] == pytest.approx(score / (score + np.e), rel=1e-5)
    assert offered(decision)[:4] == ["filter", "grinder", "milk", "mug"]
    # Of no neighbour, and nobody is asked for: twice the rate.
    others = [chance for product_id, chance in chances.items() if product_id not in WORLD.neighbours["beans"]]
    assert others == pytest.approx([0.04] * len(others))
    assert others


def test_with_a_basket_what_fits_the_account_alone_counts_by_order() -> None:
    decision = decide(gather(with_basket_chances(WORLD), [OfferRequest("ann", 10, ["kettle"])]))

    chances = propensities_of(decision)
    # Nine purchases in 180 days are 4.5 in 90.
    assert chances["grinder-pro"] == pytest.approx(0.02 / 4.5, rel=1e-5)
    assert chances["scale"] == pytest.approx(0.375 / (0.375 + np.e), rel=1e-5)
    assert decision.strategy is Strategy.EXPECTED_VALUE


def test_without_learned_chances_a_basket_keeps_the_order_of_the_model() -> None:
    state = LiveState(content_of(WORLD), 0)

    decision, of_account = decide_many(gather(state, [OfferRequest(None, 4, ["beans"]), OfferRequest("ann", 4)]))

    assert (decision.strategy, of_account.strategy) == (Strategy.RELEVANCE, Strategy.EXPECTED_VALUE)
    assert offered(decision) == ["filter", "grinder", "milk", "mug"]


EQUAL = World(
    products=[ProductSpec(f"p{number:02}") for number in range(40)],
    owned={f"a{number}": [] for number in range(20)},
    neighbours={},
    popular=[],
    rates={f"p{number:02}": 0.1 for number in range(40)},
)


def test_equal_priorities_come_in_an_order_of_the_account_s_own_that_stays() -> None:
    state = LiveState(content_of(EQUAL), 0)
    requests = [OfferRequest(account_id, 5) for account_id in EQUAL.owned]

    lists = [offered(decision) for decision in decide_many(gather(state, requests))]
    again = [offered(decide(gather(LiveState(content_of(EQUAL), 0), [request]))) for request in requests]

    assert lists == again
    assert len({tuple(products) for products in lists}) > len(lists) / 2


@given(st.data())
def test_many_at_once_are_decided_as_one_by_one(data: st.DataObject) -> None:
    chance = st.floats(0.001, 0.5)
    rates = {product.product_id: data.draw(chance) for product in WORLD.products}
    state = with_basket_chances(replace(WORLD, rates=rates))
    accounts = st.sampled_from(["ann", "bob", "cid", "dee", "new", None])
    baskets = st.lists(st.sampled_from(list(rates)), max_size=2)
    requests = [
        OfferRequest(
            data.draw(accounts),
            data.draw(st.integers(1, 10)),
            data.draw(baskets),
            explains_all=data.draw(st.booleans()),
        )
        for _ in range(data.draw(st.integers(1, 5)))
    ]

    together = decide_many(gather(state, requests))

    assert together == [decide(gather(state, [request])) for request in requests]


def plain_selection(groups: list[tuple[int, int, int]], limit: int) -> tuple[list[int], int]:
    """The rule of diversity, place by place."""
    most = max(2, -(-limit // 3))
    chosen: list[int] = []
    similar: list[int] = []
    for place, (variants, family, category) in enumerate(groups):
        if len(chosen) == limit:
            break
        before = [groups[other] for other in chosen]
        n_category = Counter(other[2] for other in before)[category]
        is_similar = (
            (variants != NO_VARIANTS and variants in {other[0] for other in before})
            or (family != NO_FAMILY and family in {other[1] for other in before})
            or (category != NO_TEXT and n_category >= most)
        )
        (similar if is_similar else chosen).append(place)
    added: list[int] = []
    for place in similar:
        taken = {groups[other][0] for other in chosen + added} - {NO_VARIANTS}
        if len(chosen) + len(added) < limit and groups[place][0] not in taken:
            added.append(place)
    return chosen + added, len(similar) - len(added)


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4), st.integers(0, 2)), max_size=25),
    st.integers(1, 10),
)
def test_a_list_is_as_diverse_as_the_rule_says(groups: list[tuple[int, int, int]], limit: int) -> None:
    columns = np.array(groups, dtype=np.int32).reshape(-1, 3).T

    chosen, similar = select_diverse(np.arange(len(groups)), ProductGroups(*columns), limit)

    expected, n_expected = plain_selection(groups, limit)
    assert chosen.tolist() == expected
    if expected != list(range(len(expected))):
        assert len(similar) == n_expected


def test_three_offers_have_at_most_two_of_a_category_unless_there_are_no_others() -> None:
    products = [ProductSpec(f"tea{number}", category="tea") for number in range(4)]
    rates = {product.product_id: 0.4 - number / 100 for number, product in enumerate(products)}
    mug = ProductSpec("mug", category="cups")

    alone = decide_in(World(products, {}, {}, [], rates=rates), None, 3)
    mixed = decide_in(World([*products, mug], {}, {}, [], rates=rates | {"mug": 0.001}), None, 3)

    assert offered(alone) == ["tea0", "tea1", "tea2"]
    assert offered(mixed) == ["tea0", "tea1", "mug"]
    assert mixed.withheld == {WithheldCode.SIMILAR: 2}


@pytest.fixture
def world() -> World:
    """What is installed for tests over HTTP."""
    return WORLD


def test_a_key_that_anybody_can_read_sees_no_margins(settings: Settings, version: str) -> None:
    assert version

    def ask(scope: str) -> list[dict[str, Any]]:
        with running(settings, make_key(settings.database_url, scope)) as client:
            answer = client.post("/v1/recommendations", json={"limit": 5}, headers={"Origin": SHOP_ORIGIN})
        offers: list[dict[str, Any]] = answer.json()["offers"]
        return offers

    private, public = ask("recommend"), ask("storefront")

    assert [offer["product_id"] for offer in public] == [offer["product_id"] for offer in private]
    assert all(offer["arbitration"] for offer in private)
    assert not any(offer["arbitration"] for offer in public)


def test_every_candidate_is_explained_once_and_the_outcomes_add_up() -> None:
    request = OfferRequest("dee", 2, ["grinder"], ["milk"], explains_all=True)

    decision = decide(gather(LiveState(content_of(WORLD), 0), [request]))

    considered = decision.considered
    assert considered is not None
    assert len({candidate["product_id"] for candidate in considered}) == len(considered)
    in_order = [candidate["product_id"] for candidate in considered if candidate["outcome"] is Outcome.OFFERED]
    assert in_order == offered(decision)
    reasons = {candidate["product_id"]: candidate["reason"] for candidate in considered}
    assert reasons["milk"] is WithheldCode.EXCLUDED
    assert all(
        (candidate["reason"] is not None) == (candidate["outcome"] is Outcome.WITHHELD) for candidate in considered
    )


@pytest.mark.parametrize("account_id", ["ann", "dee", "new", None])
@pytest.mark.parametrize("basket", [[], ["kettle"]])
def test_each_product_that_is_named_comes_back_once(account_id: str | None, basket: list[str]) -> None:
    named = ["syrup", "beans", "retired", "milk", "scale", "nonsense", "kettle"]

    decision = decide(gather(with_basket_chances(WORLD), [OfferRequest(account_id, 1, basket, among=named)]))

    considered = {candidate["product_id"]: candidate for candidate in decision.considered or ()}
    assert set(considered) == set(named) - {"nonsense"}
    assert decision.unknown_products == ["nonsense"]
    assert considered["retired"]["reason"] in (WithheldCode.INACTIVE, WithheldCode.OWNED)
    assert Outcome.OUTRANKED not in {candidate["outcome"] for candidate in considered.values()}
    assert set(offered(decision)) == {i for i, candidate in considered.items() if candidate["reason"] is None}


def test_what_is_named_has_the_figures_of_a_plain_answer() -> None:
    plain = decide_in(WORLD)

    named = decide(
        gather(
            LiveState(content_of(WORLD), 0),
            [OfferRequest("ann", 1, among=offered(plain))],
            ArbitrationOptions(margin_rate=MARGIN_RATE, max_value_ratio=1e9),
        )
    )

    assert named.offers == plain.offers


def test_only_the_requests_that_name_candidates_are_restricted_to_them() -> None:
    state = LiveState(content_of(WORLD), 0)
    requests = [OfferRequest("ann", 3), OfferRequest("ann", 3, among=["milk", "syrup"]), OfferRequest(None, 3)]

    together = decide_many(gather(state, requests))

    assert together == [decide(gather(state, [request])) for request in requests]
    assert set(offered(together[1])) == {"milk", "syrup"}


def test_candidates_are_explained_over_http_and_kept_in_the_decision_log(settings: Settings, version: str) -> None:
    assert version
    with running(settings, make_key(settings.database_url, "admin")) as client:
        answers = [
            client.get("/v1/recommendations/ann?explain=full").json(),
            client.post("/v1/recommendations", json={"account_id": "ann", "explain": "full"}).json(),
            client.post("/v1/recommendations", json={"account_id": "ann", "among": ["milk", "beans"]}).json(),
            client.post("/v1/recommendations/batch", json={"account_ids": ["ann"], "among": ["milk"]}).json()["items"][
                0
            ],
        ]
        plain = client.get("/v1/recommendations/ann").json()
        too_many = client.post("/v1/recommendations", json={"among": ["x"] * 501})
        none = client.post("/v1/recommendations", json={"among": []})

    assert answers[0]["considered"] == answers[1]["considered"]
    outcomes = [{c["product_id"]: c["outcome"] for c in answer["considered"]} for answer in answers[2:]]
    assert outcomes == [{"milk": "offered", "beans": "withheld"}, {"milk": "offered"}]
    assert plain["considered"] is None
    assert (too_many.status_code, none.status_code) == (422, 422)


def test_an_answer_without_offers_says_why_and_when_to_ask_again() -> None:
    state = LiveState(content_of(WORLD), 0)
    objecting = LiveState(content_of(WORLD), 0)
    objecting.part(Objections).accounts.add("ann")
    opening = NOON + timedelta(hours=1)
    later = {row: ProductAvailability(available_from=opening) for row in map(ProductRow, range(len(WORLD.products)))}
    waiting = LiveState(content_of(WORLD), 0)
    waiting.replace_part(waiting.part(Availability).with_changes(later))
    excluded = [product.product_id for product in WORLD.products]

    def no_offer(of_state: LiveState, request: OfferRequest, **options: Any) -> NoOffer | None:
        return decide(gather(of_state, [request], ArbitrationOptions(**options), now=NOON)).no_offer

    answers = [
        no_offer(state, OfferRequest("ann", 3)),
        no_offer(objecting, OfferRequest("ann", 3)),
        no_offer(state, OfferRequest("ann", 3), min_propensity=0.9),
        no_offer(state, OfferRequest("ann", 3, exclude=excluded)),
        no_offer(waiting, OfferRequest("ann", 3)),
    ]

    assert [answer and answer["code"] for answer in answers] == [
        None, "objected-to-marketing", "nothing-worth-offering", "all-withheld", "all-withheld",
    ]  # fmt: skip
    assert [answer and answer["ask_again_at"] for answer in answers] == [None, None, None, None, opening]


def test_products_that_are_named_twice_and_not_listed_are_ranked_once() -> None:
    world = replace(WORLD, relationships=[("beans", "up_sell", "syrup", 6), ("grinder", "cross_sell", "syrup", 6)])
    state = LiveState(content_of(world), 0)
    promoted = {"beans": {"syrup": CuratedRelationship(Relation.CROSS_SELL, is_banned=False)}}
    state.replace_part(state.part(CatalogueView).with_curated(promoted))

    decision = decide(gather(state, [OfferRequest("ann", 3, among=["syrup"])]))

    assert offered(decision) == ["syrup"]
