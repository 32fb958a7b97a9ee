"""Offers by relationships: upgrades first, and nothing that a relationship forbids."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.arbitration_options import ArbitrationOptions
from service.offers.candidates import collect_candidates
from service.offers.decide import Decision, decide, decide_many
from service.offers.explanation import Offer
from service.offers.gathering import gather
from service.offers.reasons import ReasonCode, Source, WithheldCode
from service.offers.request import OfferRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship, upgrades_among
from tests.artifacts import ProductSpec, World, coffee_world, content_of

COFFEE = coffee_world()
PRODUCT_IDS = [product.product_id for product in COFFEE.products]
COFFEE_RELATIONSHIPS = [
    ("grinder", "up_sell", "grinder-pro", 6),
    ("beans", "cross_sell", "milk", 8),
    ("beans", "substitute", "syrup", 5),
    ("kettle", "accessory", "scale", 10),
    ("mug", "cross_sell", "syrup", 7),
]
WORLD = replace(COFFEE, relationships=COFFEE_RELATIONSHIPS)


def state_of(world: World, curated: dict[str, dict[str, CuratedRelationship]]) -> LiveState:
    """A state in which some relationships are curated."""
    state = LiveState(content_of(world), 0)
    state.replace_part(state.part(CatalogueView).with_curated(curated))
    return state


def decide_in(
    world: World, curated: dict[str, dict[str, CuratedRelationship]] | None = None, **parameters: object
) -> Decision:
    """Decide in a world with curated relationships."""
    state = state_of(world, curated or {})
    policy = bool(parameters.pop("is_up_sell_first", True))
    wanted = OfferRequest(**{"account_id": None, "limit": 3} | parameters)  # type: ignore[arg-type]
    return decide(gather(state, [wanted], ArbitrationOptions(is_up_sell_first=policy)))


def offered(decision: Decision) -> list[str]:
    """The offered products in order."""
    return [offer["product_id"] for offer in decision.offers]


def explanation_of(offer: Offer) -> tuple[Relation | None, str | None, ReasonCode, str]:
    """Relation, source product, reason code and reason text of an offer."""
    return (offer["relation"], offer["source_product_id"], offer["reasons"][0]["code"], offer["reasons"][0]["text"])


def test_an_upgrade_of_what_is_owned_comes_first_and_says_of_what() -> None:
    decision = decide_in(WORLD, account_id="ann")

    assert decision.source is Source.PERSONALIZED
    assert explanation_of(decision.offers[0]) == (
        Relation.UP_SELL,
        "grinder",
        ReasonCode.UPGRADE,
        "An upgrade of Hand grinder: bought together in 6 orders by 6 customers, 1.5 times as often as by chance.",
    )
    assert offered(decision) == ["grinder-pro", "filter", "milk"]


def test_without_the_policy_an_upgrade_waits_its_turn() -> None:
    decision = decide_in(WORLD, account_id="ann", is_up_sell_first=False)

    assert offered(decision) == ["filter", "grinder-pro", "milk"]


def test_an_upgrade_of_the_basket_comes_before_one_of_what_is_owned() -> None:
    world = replace(COFFEE, relationships=[("beans", "up_sell", "syrup", 15), ("kettle", "up_sell", "mug", 5)])

    decision = decide_in(world, account_id="ann", basket=["kettle"])

    assert decision.source is Source.BASKET
    assert offered(decision)[:2] == ["mug", "syrup"]


def test_a_clear_relationship_gives_its_figures_and_an_unclear_one_no_relation() -> None:
    decision = decide_in(WORLD, basket=["beans"], limit=2)

    assert offered(decision) == ["filter", "grinder"]
    assert explanation_of(decision.offers[0])[:3] == (None, "beans", ReasonCode.GOES_WITH_BASKET)
    milk = decide_in(WORLD, basket=["beans"], limit=3).offers[2]
    assert explanation_of(milk) == (
        Relation.CROSS_SELL,
        "beans",
        ReasonCode.GOES_WITH_BASKET,
        "Goes with Coffee beans: bought together in 8 orders by 8 customers, 2.0 times as often as by chance.",
    )


def test_the_second_contributor_gives_the_reason_if_only_it_has_a_clear_relationship() -> None:
    world = replace(COFFEE, relationships=[("grinder", "cross_sell", "filter", 9)])

    decision = decide_in(world, basket=["beans", "grinder"], limit=1)

    assert (decision.offers[0]["product_id"], decision.offers[0]["source_product_id"]) == ("filter", "grinder")


def test_a_basket_without_neighbours_is_answered_by_relationships() -> None:
    world = replace(COFFEE, relationships=[("syrup", "cross_sell", "kettle", 9), ("syrup", "cross_sell", "mug", 12)])

    decision = decide_in(world, basket=["syrup"])

    assert (decision.source, offered(decision)) == (Source.BASKET, ["mug", "kettle", "milk"])


@pytest.mark.parametrize(
    ("parameters", "product_id", "code"),
    [
        ({"basket": ["beans"]}, "syrup", WithheldCode.SUBSTITUTE),
        ({"account_id": "dee"}, "syrup", WithheldCode.SUBSTITUTE),
        ({"basket": ["beans"]}, "scale", WithheldCode.WITHOUT_MAIN),
        ({"basket": ["grinder-pro"]}, "grinder", WithheldCode.LOWER_TIER),
    ],
)
def test_what_a_relationship_forbids_is_withheld(
    parameters: dict[str, Any], product_id: str, code: WithheldCode
) -> None:
    decision = decide_in(WORLD, limit=50, **parameters)

    assert product_id not in offered(decision)
    assert decision.withheld[code] == 1


def test_an_accessory_is_offered_with_its_main_product() -> None:
    decision = decide_in(WORLD, basket=["kettle"], limit=50)

    offer = next(offer for offer in decision.offers if offer["product_id"] == "scale")
    assert explanation_of(offer)[:2] == (Relation.ACCESSORY, "kettle")
    assert explanation_of(offer)[3].startswith("Belongs to Kettle: ")


def test_a_curated_relationship_comes_before_learned_ones_and_is_named_as_such() -> None:
    curated = {"beans": {"kettle": CuratedRelationship(Relation.CROSS_SELL, is_banned=False)}}

    decision = decide_in(WORLD, curated, basket=["beans"])

    assert offered(decision) == ["kettle", "filter", "grinder"]
    assert explanation_of(decision.offers[0])[3] == "Goes with Coffee beans: recommended by our product experts."


def test_a_banned_relationship_is_never_offered_even_where_the_model_ranks_it_high() -> None:
    curated = {"beans": {"filter": CuratedRelationship(Relation.CROSS_SELL, is_banned=True)}}

    for account_id, basket in ((None, ["beans", "kettle"]), ("ann", [])):
        decision = decide_in(WORLD, curated, limit=50, account_id=account_id, basket=basket)
        assert "filter" not in offered(decision)
        assert decision.withheld[WithheldCode.BANNED] == 1
    assert "filter" in offered(decide_in(WORLD, curated, basket=["kettle"], limit=50))


def test_the_latest_curated_relationships_of_a_product_replace_earlier_ones() -> None:
    state = LiveState(content_of(WORLD), 0)
    request = OfferRequest(None, 1, ["beans"])
    state.replace_part(
        state.part(CatalogueView).with_curated(
            {"beans": {"filter": CuratedRelationship(Relation.CROSS_SELL, is_banned=True)}}
        )
    )
    assert offered(decide(gather(state, [request]))) == ["grinder"]

    nothing = {"beans": {}, "unheard-of": {"beans": CuratedRelationship(Relation.CROSS_SELL, is_banned=True)}}
    state.replace_part(state.part(CatalogueView).with_curated(nothing))

    assert offered(decide(gather(state, [request]))) == ["filter"]


def test_a_learned_upgrade_gives_way_to_a_curated_one_in_the_other_direction() -> None:
    world = replace(
        COFFEE,
        relationships=[("beans", "up_sell", "milk", 6), ("milk", "up_sell", "mug", 6), ("mug", "up_sell", "syrup", 6)],
    )
    curated = {"mug": {"beans": CuratedRelationship(Relation.UP_SELL, is_banned=False)}}

    upgrades = _upgrades(world, curated)

    assert upgrades >= {("mug", "beans"), ("mug", "syrup")}
    assert not _has_cycle(upgrades)


class Case(NamedTuple):
    """A world, its curated relationships, and a request."""

    world: World
    curated: dict[str, dict[str, CuratedRelationship]]
    account_id: str | None
    basket: list[str]
    limit: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw any learned and curated relationships, tiers, owners and baskets."""
    ids = st.sampled_from(PRODUCT_IDS)
    pairs = draw(st.lists(st.tuples(ids, ids).filter(lambda pair: pair[0] != pair[1]), unique=True, max_size=14))
    relations = st.sampled_from(["up_sell", "cross_sell", "accessory", "substitute"])
    learned = [(source, draw(relations), target, draw(st.integers(5, 20))) for source, target in pairs]
    tiers = {i: (draw(st.sampled_from(["", "f", "g"])), draw(st.none() | st.integers(1, 3))) for i in PRODUCT_IDS}
    products = [
        ProductSpec(p.product_id, p.name, tiers[p.product_id][0], tiers[p.product_id][1], is_active=p.is_active)
        for p in COFFEE.products
    ]
    curated: dict[str, dict[str, CuratedRelationship]] = {}
    for source, target in draw(st.lists(st.tuples(ids, ids).filter(lambda p: p[0] != p[1]), unique=True, max_size=6)):
        curated.setdefault(source, {})[target] = CuratedRelationship(Relation(draw(relations)), draw(st.booleans()))
    owned = {"ann": draw(st.lists(ids, unique=True, max_size=4)), "bob": draw(st.lists(ids, unique=True, max_size=4))}
    world = replace(COFFEE, products=products, relationships=learned, owned=owned)
    return Case(
        world,
        curated,
        draw(st.sampled_from([None, "ann", "bob"])),
        draw(st.lists(ids, max_size=3)),
        draw(st.integers(1, 12)),
    )


def _effective(case: Case) -> dict[tuple[str, str], str]:
    """The relation of each pair: as learned, unless it is curated."""
    effective = {(source, target): relation for source, relation, target, _ in case.world.relationships}
    for source, by_target in case.curated.items():
        for target, curated in by_target.items():
            effective.pop((source, target), None)
            if not curated.is_banned:
                effective[source, target] = str(curated.relation)
    return effective


def _had(case: Case) -> set[str]:
    return {*case.basket, *case.world.owned.get(case.account_id or "", ())}


@given(cases())
def test_nothing_is_offered_that_a_relationship_forbids(case: Case) -> None:
    had, effective = _had(case), _effective(case)
    specs = {product.product_id: product for product in case.world.products}

    decision = decide_in(case.world, case.curated, account_id=case.account_id, basket=case.basket, limit=50)

    for product_id in offered(decision):
        assert not any(w[product_id].is_banned for s, w in case.curated.items() if s in had and product_id in w)
        assert not any(effective.get((s, product_id)) == "substitute" for s in had)
        mains = {s for (s, t), relation in effective.items() if t == product_id and relation == "accessory"}
        assert not mains or mains & had
        mine = specs[product_id]
        for other in (specs[i] for i in had):
            if mine.family and mine.family == other.family and mine.tier and other.tier:
                assert other.tier <= mine.tier


@given(cases())
def test_every_upgrade_that_may_be_offered_comes_before_everything_else(case: Case) -> None:
    # What was switched off since the training leads to nothing.
    leading = _had(case) & {product.product_id for product in case.world.products if product.is_active}
    upgrades = {target for source, target in _upgrades(case.world, case.curated) if source in leading}

    everything = decide_in(case.world, case.curated, account_id=case.account_id, basket=case.basket, limit=50)
    decision = decide_in(
        case.world,
        case.curated,
        account_id=case.account_id,
        basket=case.basket,
        limit=case.limit,
        explains_all=True,
    )

    # A short list passes over what is similar to what is in it; a long one has it at its end.
    passed_over = {each["product_id"] for each in decision.considered or () if each["reason"] is WithheldCode.SIMILAR}
    qualifying = (upgrades & set(offered(everything))) - passed_over
    first = offered(decision)[: len(qualifying)]
    assert set(first) <= qualifying
    assert all(o["relation"] is Relation.UP_SELL for o in decision.offers[: len(qualifying)])


@given(cases(), st.booleans())
def test_many_at_once_are_decided_as_one_by_one(case: Case, is_up_sell_first: bool) -> None:
    state = LiveState(content_of(case.world), 0)
    state.replace_part(state.part(CatalogueView).with_curated(case.curated))
    requests = [
        OfferRequest("ann", case.limit, exclude=case.basket),
        OfferRequest(None, 3, case.basket),
        OfferRequest("bob", 1, case.basket[:1]),
        OfferRequest("stranger", 2),
    ]

    options = ArbitrationOptions(is_up_sell_first=is_up_sell_first)
    together = decide_many(gather(state, requests, options))

    alone = [decide(gather(state, [request], options)) for request in requests]
    assert together == alone


@given(cases())
def test_learned_upgrades_never_close_a_cycle(case: Case) -> None:
    """Where neither curated nor learned upgrades contain a cycle, both together contain none."""
    learned = {(s, t) for s, relation, t, _ in case.world.relationships if relation == "up_sell"}
    curated_upgrades = {
        (s, t)
        for s, by_target in case.curated.items()
        for t, w in by_target.items()
        if w.relation is Relation.UP_SELL and not w.is_banned
    }

    upgrades = _upgrades(case.world, case.curated)

    assert curated_upgrades <= upgrades
    if not _has_cycle(learned) and not _has_cycle(curated_upgrades):
        assert not _has_cycle(upgrades)


def _upgrades(world: World, curated: dict[str, dict[str, CuratedRelationship]]) -> set[tuple[str, str]]:
    state = LiveState(content_of(world), 0)
    state.replace_part(state.part(CatalogueView).with_curated(curated))
    ids, index = state.content.products.ids.texts, state.part(CatalogueView).relationships
    return {(ids[s], ids[target.target]) for s in range(len(ids)) for target in upgrades_among(index.standing(s))}


def _has_cycle(edges: Iterable[tuple[str, str]]) -> bool:
    """Remove edges to products without upgrades until none is left, or only cycles are."""
    left = set(edges)
    while left:
        sources = {source for source, _ in left}
        kept = {(s, t) for s, t in left if t in sources}
        if kept == left:
            return True
        left = kept
    return False


def test_a_banned_accessory_is_not_offered_without_its_main_product() -> None:
    curated = {"kettle": {"scale": CuratedRelationship(Relation.ACCESSORY, is_banned=True)}}

    without, with_main = (decide_in(WORLD, curated, basket=basket, limit=50) for basket in (["mug"], ["kettle"]))

    assert without.withheld[WithheldCode.WITHOUT_MAIN] == 1
    assert with_main.withheld[WithheldCode.BANNED] == 1
    assert "scale" not in {*offered(without), *offered(with_main)}


def test_a_reason_names_nothing_that_was_returned() -> None:
    state = state_of(COFFEE, {})
    ann = OfferRequest("ann", 50)
    before = decide(gather(state, [ann]))
    named = {i for offer in before.offers for reason in offer["reasons"] for i in reason["product_ids"]}
    returned = sorted(named)[0]

    state.part(Ownership).replace("ann", [i for i in COFFEE.owned["ann"] if i != returned])
    after = decide(gather(state, [ann]))

    assert returned in COFFEE.owned["ann"]
    named_after = {i for offer in after.offers for reason in offer["reasons"] for i in reason["product_ids"]}
    assert named_after == named - {returned}


def test_a_pool_stays_small_where_most_products_are_switched_off() -> None:
    products = [ProductSpec(f"p{n:04}", is_active=n >= 1_960) for n in range(2_000)]
    ids = [product.product_id for product in products]
    world = replace(COFFEE, products=products, owned={"ann": ids[:1]}, neighbours={}, popular=ids, relationships=[])
    state = state_of(world, {})
    facts = gather(state, [OfferRequest("ann", 50)])

    decision = decide(facts)

    assert offered(decision) == ids[1_960:]
    assert len(collect_candidates(facts, n_popular=100).product) <= 200 + world.n_candidates
