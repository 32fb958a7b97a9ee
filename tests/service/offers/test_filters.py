"""Filters of requests, against a brute force over small worlds."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from models.artifact.relationships import RELATIONS
from service.offers.decide import Decision, decide, decide_many
from service.offers.gathering import gather
from service.offers.reasons import WithheldCode
from service.offers.request import OfferFilter, OfferRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_attributes import MAX_CHANGED, ProductAttributes, texts_of
from service.readmodel.product_index import ProductInfo
from tests.artifacts import ProductSpec, World, coffee_world, content_of

COFFEE = coffee_world()
PRODUCT_IDS = [product.product_id for product in COFFEE.products]
ACCOUNT_IDS = [None, *COFFEE.owned, "stranger"]
VALUES: list[Any] = ["red", "blue", 12, 12.0, "12", True, False, None, ["red", 12], [], {"nested": "red"}]
FILTER_VALUES = ["red", "blue", "12", "true", "unheard-of", None]
Attributes = dict[str, dict[str, Any]]


class Shop(NamedTuple):
    """A world whose products have lines, categories, prices and attributes."""

    state: LiveState
    infos: dict[str, ProductInfo]
    attributes: Attributes


def shop_of(world: World, infos: dict[str, ProductInfo], attributes: Attributes) -> Shop:
    state = LiveState(content_of(world), 0)
    view = state.part(CatalogueView).with_products(infos)
    state.replace_part(view.with_all_attributes({name: orjson.dumps(given) for name, given in attributes.items()}))
    return Shop(state, infos, attributes)


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Draw what products are, and how they relate."""
    texts = st.sampled_from(["", "drinks", "tools"])
    prices = st.one_of(st.none(), st.integers(0, 5))
    infos = {
        product_id: ProductInfo(
            product_id, product_id, "", None, draw(prices), "EUR", True, None, draw(texts), draw(texts)
        )
        for product_id in PRODUCT_IDS
    }
    given_attributes = st.dictionaries(st.sampled_from(["colour", "size"]), st.sampled_from(VALUES))
    attributes = draw(st.dictionaries(st.sampled_from(PRODUCT_IDS), given_attributes))
    pairs = draw(st.sets(st.tuples(st.sampled_from(PRODUCT_IDS), st.sampled_from(PRODUCT_IDS)), max_size=12))
    related = [(a, draw(st.sampled_from(RELATIONS)), b, draw(st.integers(5, 15))) for a, b in sorted(pairs) if a != b]
    return shop_of(replace(COFFEE, relationships=related), infos, attributes)


@st.composite
def filters(draw: st.DrawFn) -> OfferFilter:
    """Draw any filter."""
    texts = st.sets(st.sampled_from(["drinks", "tools", "unheard-of"]), max_size=2).map(sorted).map(tuple)
    values = st.sets(st.sampled_from(FILTER_VALUES), min_size=1, max_size=3).map(tuple)
    attributes = draw(st.dictionaries(st.sampled_from(["colour", "size", "weight"]), values, max_size=2))
    relations = st.sets(st.sampled_from(["up_sell", "cross_sell", "accessory"]), max_size=2).map(sorted).map(tuple)
    return OfferFilter(
        draw(texts), draw(texts), draw(st.none() | st.integers(0, 5)), tuple(attributes.items()), draw(relations)
    )


@st.composite
def requests(draw: st.DrawFn) -> OfferRequest:
    """Draw any request with a filter, or without."""
    basket, exclude = (draw(st.lists(st.sampled_from(PRODUCT_IDS), max_size=2, unique=True)) for _ in range(2))
    wanted = draw(st.none() | filters())
    return OfferRequest(draw(st.sampled_from(ACCOUNT_IDS)), draw(st.integers(1, 12)), basket, exclude, filter=wanted)


def decide_one(shop: Shop, request: OfferRequest) -> Decision:
    return decide(gather(shop.state, [request]))


def offered(decision: Decision) -> set[str]:
    return {offer["product_id"] for offer in decision.offers}


def passes(shop: Shop, wanted: OfferFilter, product_id: str) -> bool:
    """Compare one product with what a filter says, relations apart."""
    info, attributes = shop.infos[product_id], shop.attributes.get(product_id, {})
    return (
        (not wanted.lines or info.line in wanted.lines)
        and (not wanted.categories or info.category in wanted.categories)
        and (
            wanted.price_max_minor is None
            or (info.price_minor is not None and info.price_minor <= wanted.price_max_minor)
        )
        and all(
            set(texts_of(attributes.get(name))) & set(values)
            or (None in values and not list(texts_of(attributes.get(name))))
            for name, values in wanted.attributes
        )
    )


def related_to(shop: Shop, had: set[str], relations: tuple[str, ...]) -> set[str]:
    """Find what relationships of some kinds lead to from some products."""
    view = shop.state.part(CatalogueView)
    ids = view.products.content.products.ids.texts
    return {
        ids[standing.target]
        for product_id in had
        for standing in view.relationships.standing(view.products.row_of(product_id) or 0)
        if RELATIONS[standing.relation] in relations
    }


@given(shops(), requests())
def test_the_list_is_filled_with_what_passes_and_with_nothing_else(shop: Shop, request: OfferRequest) -> None:
    wanted = request.filter or OfferFilter()
    had = {*request.basket, *COFFEE.owned.get(request.account_id or "", [])}
    may_be_offered = offered(decide_one(shop, request._replace(filter=None, limit=50)))
    expected = {product_id for product_id in may_be_offered if passes(shop, wanted, product_id)}
    if wanted.relations:
        expected &= related_to(shop, had, wanted.relations)

    decision = decide_one(shop, request)

    assert offered(decision) <= expected
    assert len(decision.offers) == min(request.limit, len(expected))
    if len(decision.offers) < request.limit:
        filtered = decision.withheld.get(WithheldCode.FILTERED, 0)
        assert filtered >= len(may_be_offered - expected)


@given(shops(), requests())
def test_each_offer_shows_one_of_the_relations_that_are_asked_for(shop: Shop, request: OfferRequest) -> None:
    wanted = (request.filter or OfferFilter())._replace(relations=("accessory", "cross_sell"))
    had = {*request.basket, *COFFEE.owned.get(request.account_id or "", [])}

    decision = decide_one(shop, request._replace(filter=wanted))

    for offer in decision.offers:
        assert offer["relation"] in wanted.relations
        assert offer["source_product_id"] in had
        assert offer["product_id"] in related_to(shop, {str(offer["source_product_id"])}, wanted.relations)


@given(shops(), st.lists(requests(), min_size=1, max_size=6))
def test_requests_with_different_filters_are_decided_as_each_alone(shop: Shop, wanted: list[OfferRequest]) -> None:
    together = decide_many(gather(shop.state, wanted))

    alone = [decide_one(shop, request) for request in wanted]
    assert [decision.offers for decision in together] == [decision.offers for decision in alone]
    assert [decision.unknown_filters for decision in together] == [decision.unknown_filters for decision in alone]


def test_a_filter_that_only_rare_products_pass_is_filled_from_the_whole_catalogue() -> None:
    n = 3_000
    ids = [f"p{number}" for number in range(n)]
    world = World([ProductSpec(i, price_minor=n - number) for number, i in enumerate(ids)], {"a": ["p7"]}, {}, ids)
    state = LiveState(content_of(world), 0)
    request = OfferRequest("a", 5, filter=OfferFilter(price_max_minor=20))

    decision = decide(gather(state, [request]))

    # The twenty cheapest are the least popular ones.
    assert [offer["product_id"] for offer in decision.offers] == ids[n - 20 : n - 15]
    assert decision.withheld[WithheldCode.FILTERED] >= 1


def test_attributes_are_the_same_whether_they_were_loaded_or_changed_since() -> None:
    n = MAX_CHANGED + 100
    stored = {row: orjson.dumps({"parity": row % 2, "tags": ["all", f"t{row % 5}"]}) for row in range(n)}
    loaded = ProductAttributes(n, stored)

    few = ProductAttributes(n, {}).with_changes({row: stored[row] for row in range(50)})
    many = ProductAttributes(n, {}).with_changes(stored)
    removed = loaded.with_changes({3: b""})

    assert loaded.of(7) == many.of(7) == few.of(7) == {"parity": 1, "tags": ["all", "t2"]}
    np.testing.assert_array_equal(loaded.matching("parity", ["1"]), np.arange(n) % 2 == 1)
    np.testing.assert_array_equal(many.matching("tags", ["t3", "unheard-of"]), np.arange(n) % 5 == 3)
    np.testing.assert_array_equal(few.matching("tags", ["all"]), np.arange(n) < 50)
    np.testing.assert_array_equal(removed.matching("parity", [None]), np.arange(n) == 3)
    assert removed.of(3) == {}
