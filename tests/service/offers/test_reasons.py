"""Reasons are borne out by counts, and by products that may be named."""

from dataclasses import replace

import numpy as np
import pytest

from models.artifact import Content
from models.artifact.content import BY_POPULARITY
from models.artifact.variants import ProductLinks
from service.offers.decide import Decision, decide, decide_many
from service.offers.gathering import gather
from service.offers.reasons import ReasonCode, WithheldCode
from service.offers.request import OfferRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.product_index import ProductInfo
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship
from tests.artifacts import ProductSpec, World, coffee_world, content_of

WORLD = coffee_world()


def state_of(content: Content, **changes: ProductInfo) -> LiveState:
    state = LiveState(content, 0)
    view = state.part(CatalogueView)
    state.replace_part(view.with_products({i.replace("_", "-"): info for i, info in changes.items()}))
    return state


def info_of(product_id: str, **facts: object) -> ProductInfo:
    row = LiveState(content_of(WORLD), 0).part(CatalogueView).products.row_of(product_id)
    known = ProductInfo(product_id, product_id.title(), "", None, None, None, is_active=True)
    if row is not None:
        known = LiveState(content_of(WORLD), 0).part(CatalogueView).products.info(row)
    return replace(known, **facts)  # type: ignore[arg-type]


def decide_in(
    state: LiveState, account_id: str | None = None, basket: tuple[str, ...] = (), limit: int = 50
) -> Decision:
    return decide(gather(state, [OfferRequest(account_id, limit, list(basket))]))


def reason_of(decision: Decision, product_id: str) -> tuple[ReasonCode, str, list[str]]:
    (offer,) = [offer for offer in decision.offers if offer["product_id"] == product_id]
    (reason,) = offer["reasons"]
    return reason["code"], reason["text"], reason["product_ids"]


def with_evidence(content: Content, **counts: int) -> Content:
    """The content with other counts behind every pair."""
    changed = {name: np.full_like(getattr(content.evidence, name), count) for name, count in counts.items()}
    return replace(content, evidence=replace(content.evidence, **changed))


def test_what_too_few_customers_have_together_only_contributed() -> None:
    state = state_of(with_evidence(content_of(WORLD), owners=0, orders=0, buyers=0))

    assert reason_of(decide_in(state, "ann"), "filter") == (
        ReasonCode.FITS_HISTORY,
        "Based on Coffee beans and Hand grinder.",
        ["beans", "grinder"],
    )
    assert reason_of(decide_in(state, basket=("beans",)), "filter") == (
        ReasonCode.FITS_BASKET,
        "Based on Coffee beans.",
        ["beans"],
    )


def test_owners_bear_out_a_reason_of_the_account_and_orders_one_of_the_basket() -> None:
    only_owners = state_of(with_evidence(content_of(WORLD), orders=0, buyers=0))
    only_orders = state_of(with_evidence(content_of(WORLD), owners=0))

    assert reason_of(decide_in(only_owners, "bob"), "scale")[:2] == (
        ReasonCode.BOUGHT_WITH_OWNED,
        "Bought by 8 customers who have Kettle.",
    )
    assert reason_of(decide_in(only_owners, basket=("kettle",)), "scale")[0] is ReasonCode.FITS_BASKET
    assert reason_of(decide_in(only_orders, "bob"), "scale")[0] is ReasonCode.FITS_HISTORY
    assert reason_of(decide_in(only_orders, basket=("kettle",)), "scale")[0] is ReasonCode.GOES_WITH_BASKET


def test_of_two_contributors_only_the_one_that_is_borne_out_is_named() -> None:
    content = content_of(WORLD)
    ids = list(content.products.ids.texts)
    place = content.evidence.position(ids.index("beans"), ids.index("filter"))
    assert place is not None
    content.evidence.owners[place] = 0

    decision = decide_in(state_of(content), "ann")

    assert reason_of(decision, "filter") == (
        ReasonCode.BOUGHT_WITH_OWNED,
        "Bought by 8 customers who have Hand grinder.",
        ["grinder"],
    )


@pytest.mark.parametrize("switched_off", [{"is_active": False}, {"is_merchandise": False}])
def test_what_is_switched_off_is_no_reason_from_then_on(switched_off: dict[str, bool]) -> None:
    world = replace(WORLD, relationships=[("beans", "up_sell", "syrup", 9), ("beans", "cross_sell", "milk", 9)])
    state = state_of(content_of(world), beans=info_of("beans", **switched_off))

    for decision in (decide_in(state, "ann"), decide_in(state, basket=("beans", "grinder")), decide_in(state, "dee")):
        assert not any("beans" in reason["product_ids"] for offer in decision.offers for reason in offer["reasons"])
        assert not any("Coffee beans" in reason["text"] for offer in decision.offers for reason in offer["reasons"])
        assert not any(offer["source_product_id"] == "beans" for offer in decision.offers)


def test_what_is_no_merchandise_is_withheld_and_says_so() -> None:
    state = state_of(content_of(WORLD), milk=info_of("milk", is_merchandise=False))

    decision = decide_in(state, "ann")

    assert "milk" not in {offer["product_id"] for offer in decision.offers}
    assert decision.withheld[WithheldCode.NOT_MERCHANDISE] == 1


def test_a_popular_product_says_how_many_bought_it() -> None:
    decision = decide_in(state_of(content_of(WORLD)))

    assert reason_of(decision, "milk") == (ReasonCode.POPULAR, "Popular: 100 customers have bought it.", [])
    assert reason_of(decision, "syrup") == (
        ReasonCode.IN_CATALOGUE,
        "In the catalogue; few customers have bought it so far.",
        [],
    )


def test_a_candidate_that_its_popularity_put_there_says_so() -> None:
    content = content_of(WORLD)
    content.candidate_reasons[:, :, 0] = BY_POPULARITY

    decision = decide_in(state_of(content), "bob", limit=1)

    assert reason_of(decision, "filter") == (ReasonCode.POPULAR, "Popular: 97 customers have bought it.", [])


def test_what_people_recommend_claims_no_customers() -> None:
    state = state_of(content_of(WORLD))
    view = state.part(CatalogueView)
    curated = {"kettle": {"syrup": CuratedRelationship(Relation.CROSS_SELL, is_banned=False)}}
    state.replace_part(view.with_curated(curated))

    assert reason_of(decide_in(state, "bob"), "syrup")[:2] == (
        ReasonCode.GOES_WITH_OWNED,
        "Goes with Kettle: recommended by our product experts.",
    )


SHIRTS = World(
    products=[
        ProductSpec("red", parent_product_id="shirt"),
        ProductSpec("blue", parent_product_id="shirt"),
        ProductSpec("blue-2", replaces="blue"),
        ProductSpec("cap"),
        ProductSpec("sock"),
    ],
    owned={"ann": ["red"], "bob": ["cap"], "cid": ["blue-2"]},
    neighbours={"cap": {"red": 0.5, "blue-2": 0.4, "sock": 0.3}, "red": {"blue": 0.9, "cap": 0.8}},
    popular=["red", "blue", "blue-2", "cap", "sock"],
)


@pytest.mark.parametrize(
    ("account_id", "basket", "withheld"),
    [
        ("ann", (), {"blue", "blue-2"}),
        ("cid", (), {"red", "blue"}),
        (None, ("blue",), {"red", "blue-2"}),
        ("bob", ("red",), {"blue", "blue-2"}),
    ],
)
def test_whoever_has_one_variant_is_not_offered_another(
    account_id: str | None, basket: tuple[str, ...], withheld: set[str]
) -> None:
    had = {*basket, *SHIRTS.owned.get(account_id or "", ())}

    decision = decide_in(state_of(content_of(SHIRTS)), account_id, basket)

    everything = {product.product_id for product in SHIRTS.products}
    assert {offer["product_id"] for offer in decision.offers} == everything - had - withheld
    assert decision.withheld.get(WithheldCode.VARIANT_OWNED, 0) == len(withheld)


def test_one_list_has_one_variant_of_each_group() -> None:
    decision = decide_in(state_of(content_of(SHIRTS)), "bob", ())

    assert [offer["product_id"] for offer in decision.offers] == ["red", "sock"]
    assert decision.withheld[WithheldCode.SIMILAR] == 2


def test_many_accounts_at_once_lose_their_own_variants_only() -> None:
    state = state_of(content_of(SHIRTS))
    requests = [OfferRequest(account_id, 50) for account_id in ("ann", "bob", "cid", None)]

    facts = gather(state, requests)

    alone = [decide(gather(state, [request])) for request in requests]
    assert decide_many(facts) == alone


def test_a_variant_that_is_new_since_the_training_counts() -> None:
    green = ProductInfo("green", "Green", "", None, None, None, is_active=True, links=ProductLinks("shirt", ""))
    state = state_of(content_of(SHIRTS), green=green)
    state.part(Ownership).replace("bob", ["cap", "green"])

    for decision in (decide_in(state, "bob"), decide_in(state, None, ("green",))):
        assert not {"red", "blue", "blue-2"} & {offer["product_id"] for offer in decision.offers}


def test_a_link_that_is_set_or_cut_since_the_training_is_felt() -> None:
    sock = ProductInfo("sock", "Sock", "", None, None, None, is_active=True, links=ProductLinks("", "cap"))
    blue = ProductInfo("blue", "Blue", "", None, None, None, is_active=True)
    state = state_of(content_of(SHIRTS), sock=sock, blue=blue)

    assert "sock" not in {offer["product_id"] for offer in decide_in(state, "bob").offers}
    assert "blue" in {offer["product_id"] for offer in decide_in(state, "ann").offers}
