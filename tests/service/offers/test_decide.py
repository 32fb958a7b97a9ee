"""The decision as a pure function, checked by brute force over a small world."""

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.offers.decide import Decision, decide
from service.offers.explanation import Offer
from service.offers.gathering import gather
from service.offers.reasons import ReasonCode, Source, WithheldCode
from service.offers.request import OfferRequest
from service.offers.rules import RULES
from service.offers.sources.model import Neighbours
from service.readmodel.live_state import LiveState
from tests.artifacts import N_REASONED, ProductSpec, World, coffee_world, content_of

WORLD = coffee_world()
STATE = LiveState(content_of(WORLD), 0)
ACTIVE = {product.product_id for product in WORLD.products if product.is_active}
PRODUCT_IDS = [product.product_id for product in WORLD.products]


def offered(decision: Decision) -> list[str]:
    """The offered products in order."""
    return [offer["product_id"] for offer in decision.offers]


def offer_of(decision: Decision, product_id: str) -> Offer:
    """The offer of one product."""
    return next(offer for offer in decision.offers if offer["product_id"] == product_id)


def decide_for(limit: int = 3, **parameters: object) -> Decision:
    """Decide in the coffee shop."""
    request = OfferRequest(**{"account_id": None, "limit": limit} | parameters)  # type: ignore[arg-type]
    return decide(gather(STATE, [request]))


def basket_scores(basket: list[str]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Score what goes with a basket in the coffee shop."""
    facts = gather(STATE, [OfferRequest(None, 3, basket)])
    block = Neighbours(Source.BASKET, facts, facts.basket).block()
    return block.product, block.score


def test_offers_are_the_best_products_that_the_account_does_not_own() -> None:
    expected = [product for product in WORLD.scores("ann") if product in ACTIVE]

    decision = decide_for(4, account_id="ann")

    assert decision.source is Source.PERSONALIZED
    assert offered(decision) == expected[:4]


@pytest.mark.parametrize("account_id", ["ann", "bob", "dee"])
def test_a_personal_reason_names_the_owned_products_that_contributed_most(account_id: str) -> None:
    decision = decide_for(50, account_id=account_id)

    personal = [offer for offer in decision.offers if offer["product_id"] in WORLD.scores(account_id)]
    assert len(personal) > N_REASONED, "some must be explained beyond the precomputed reasons"
    for offer in personal:
        strongest = list(WORLD.contributions(account_id, offer["product_id"]))[:2]
        assert offer["reasons"][0]["code"] is ReasonCode.BOUGHT_WITH_OWNED
        assert offer["reasons"][0]["product_ids"] == strongest
        assert offer["source_product_id"] == strongest[0]


def test_a_reason_is_said_with_the_names_of_the_products() -> None:
    decision = decide_for(account_id="ann")

    filters = offer_of(decision, "filter")
    assert filters["reasons"][0]["text"] == (
        "Bought by 8 customers who have Coffee beans, and by 8 customers who have Hand grinder."
    )


def test_a_basket_offers_what_goes_with_it_by_the_sum_of_scores() -> None:
    # filter: 0.9 + 0.25; grinder-pro: 0.75; milk and scale: 0.5; mug: 0.25. Both basket products are left out.
    decision = decide_for(5, basket=["grinder", "beans"])

    assert decision.source is Source.BASKET
    assert offered(decision)[:2] == ["filter", "grinder-pro"]
    assert set(offered(decision)[2:4]) == {"milk", "scale"}
    assert decision.offers[0]["score"] == pytest.approx(0.9 + 0.25)
    assert decision.offers[0]["reasons"][0]["product_ids"] == ["beans", "grinder"]
    assert decision.offers[0]["reasons"][0]["text"] == (
        "Bought together with Coffee beans in 10 orders by 9 customers, "
        "and with Hand grinder in 10 orders by 9 customers."
    )


@given(st.lists(st.sampled_from(PRODUCT_IDS), min_size=1, max_size=12))
def test_basket_scores_equal_a_sum_in_a_dictionary_whatever_the_order(basket: list[str]) -> None:
    expected: dict[str, float] = {}
    for product in set(basket):
        for neighbour, score in WORLD.neighbours.get(product, {}).items():
            expected[neighbour] = expected.get(neighbour, 0.0) + score

    rows, scores = basket_scores(basket)
    reverse = basket_scores(basket[::-1])

    ids = STATE.content.products.ids.texts
    summed = {ids[row]: score for row, score in zip(rows.tolist(), scores.tolist(), strict=True) if row >= 0}
    assert summed == pytest.approx(expected, rel=1e-6)
    assert list(summed.values()) == sorted(summed.values(), reverse=True)
    assert reverse[0].tolist() == rows.tolist()
    assert reverse[1].tolist() == scores.tolist()


def test_a_product_that_is_twice_in_the_basket_counts_once() -> None:
    assert decide_for(basket=["beans", "beans"]) == decide_for(basket=["beans"])


def test_basket_and_account_together_offer_neither_what_is_owned_nor_what_is_in_the_basket() -> None:
    decision = decide_for(50, account_id="dee", basket=["grinder"])

    assert decision.source is Source.BASKET
    assert not set(offered(decision)) & {*WORLD.owned["dee"], "grinder", "retired"}
    assert set(offered(decision)) == ACTIVE - {*WORLD.owned["dee"], "grinder"}


def test_when_the_basket_runs_dry_the_list_goes_on_with_the_account_and_then_with_popular_products() -> None:
    decision = decide_for(50, account_id="bob", basket=["mug"])

    codes = [offer["reasons"][0]["code"] for offer in decision.offers]
    assert offered(decision)[:4] == ["milk", "syrup", "filter", "scale"]
    assert codes[:4] == [ReasonCode.GOES_WITH_BASKET] * 2 + [ReasonCode.BOUGHT_WITH_OWNED] * 2
    sold = [product_id in WORLD.popular for product_id in offered(decision)[4:]]
    assert codes[4:] == [ReasonCode.POPULAR if is_sold else ReasonCode.IN_CATALOGUE for is_sold in sold]


@given(
    account_id=st.sampled_from([None, "ann", "bob", "cid", "dee", "stranger"]),
    basket=st.lists(st.sampled_from([*PRODUCT_IDS, "unheard-of"]), max_size=5),
    exclude=st.lists(st.sampled_from([*PRODUCT_IDS, "unheard-of"]), max_size=8),
    limit=st.integers(1, 50),
)
def test_the_limit_is_filled_while_products_last(
    account_id: str | None, basket: list[str], exclude: list[str], limit: int
) -> None:
    had = {*basket, *WORLD.owned.get(account_id or "", [])}
    below = {"grinder"} if "grinder-pro" in had else set()
    left = ACTIVE - {*had, *exclude, *below}

    decision = decide_for(limit, account_id=account_id, basket=basket, exclude=exclude)

    assert len(decision.offers) == min(limit, len(left))
    assert set(offered(decision)) <= left
    assert [offer["rank"] for offer in decision.offers] == list(range(1, len(decision.offers) + 1))
    assert len(set(offered(decision))) == len(decision.offers)


def test_withheld_candidates_are_counted_by_their_first_reason() -> None:
    # Best first: filter (excluded), grinder (owned), milk (offered), retired (inactive), mug (offered).
    decision = decide_for(2, account_id="ann", basket=["beans"], exclude=["filter"])

    assert offered(decision) == ["milk", "mug"]
    assert decision.withheld == {WithheldCode.EXCLUDED: 1, WithheldCode.OWNED: 1, WithheldCode.INACTIVE: 1}


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"account_id": "stranger"}, "an unknown account"),
        ({"account_id": "cid"}, "an account that owns nothing"),
        ({"basket": []}, "an empty basket"),
        ({"basket": ["unheard-of"]}, "a basket of unknown products"),
        ({"basket": ["syrup"]}, "a basket of a product without neighbours"),
        ({}, "nobody"),
    ],
)
def test_what_nothing_is_known_of_gets_popular_products(parameters: dict[str, object], why: str) -> None:
    decision = decide_for(**parameters)  # type: ignore[arg-type]

    assert decision.source is Source.POPULAR, why
    assert offered(decision) == ["milk", "beans", "filter"]
    for offer in decision.offers:
        assert (offer["reasons"][0]["code"], offer["relation"], offer["source_product_id"]) == (
            ReasonCode.POPULAR,
            None,
            None,
        )


def test_unknown_prices_and_currencies_are_null() -> None:
    decision = decide_for(50, account_id="stranger")

    assert (offer_of(decision, "mug")["price_minor"], offer_of(decision, "mug")["currency"]) == (None, None)
    assert (offer_of(decision, "beans")["price_minor"], offer_of(decision, "beans")["currency"]) == (1299, "EUR")


def test_deciding_changes_nothing_and_repeats_itself() -> None:
    facts = gather(STATE, [OfferRequest("dee", 5, ["grinder"], ["milk"])])
    before = deepcopy(STATE.content.to_arrays())

    first, second = decide(facts), decide(facts)

    assert first == second
    for stem, array in STATE.content.to_arrays().items():
        np.testing.assert_array_equal(array, before[stem])


def test_every_rule_says_what_it_does() -> None:
    assert all(rule.__doc__ for _, rule in RULES)


def test_a_candidate_without_a_contributor_is_explained_by_the_whole_history() -> None:
    world = World(
        products=[ProductSpec("a"), ProductSpec("b")], owned={"x": ["a"]}, neighbours={"a": {"b": 1.0}}, popular=["b"]
    )
    content = content_of(world)
    content.candidate_reasons[:] = -1

    decision = decide(gather(LiveState(content, 0), [OfferRequest("x", 1)]))

    assert decision.offers[0]["reasons"][0]["code"] is ReasonCode.FITS_HISTORY
