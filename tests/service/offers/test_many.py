"""Deciding for many accounts at once gives what deciding for each alone gives."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from service.base.arbitration_options import ArbitrationOptions
from service.offers.decide import decide, decide_many
from service.offers.gathering import gather
from service.offers.reasons import Source, WithheldCode
from service.offers.request import OfferRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.product_index import ProductInfo
from tests.artifacts import coffee_world, content_of

WORLD = coffee_world()
PRODUCT_IDS = [product.product_id for product in WORLD.products]
ACCOUNT_IDS = [*WORLD.owned, "nobody", None]


def withdraw(state: LiveState, product_ids: Iterable[str]) -> None:
    """Have some products no longer sold."""
    infos = {i: ProductInfo(i, i, "", None, None, None, is_active=False) for i in product_ids}
    state.replace_part(state.part(CatalogueView).with_products(infos))


@st.composite
def requests(draw: st.DrawFn) -> OfferRequest:
    """Draw any request."""
    ids = st.sampled_from([*PRODUCT_IDS, "unheard-of"])
    return OfferRequest(
        draw(st.sampled_from(ACCOUNT_IDS)),
        draw(st.integers(1, 12)),
        draw(st.lists(ids, max_size=3)),
        draw(st.lists(ids, max_size=3)),
    )


@given(
    st.lists(requests(), min_size=1, max_size=8),
    st.sets(st.sampled_from(PRODUCT_IDS), max_size=3),
    st.dictionaries(st.sampled_from([*WORLD.owned, "new"]), st.lists(st.sampled_from(PRODUCT_IDS), unique=True)),
    st.booleans(),
)
def test_many_requests_are_decided_as_each_alone(
    wanted: list[OfferRequest], withdrawn: set[str], bought: dict[str, list[str]], is_up_sell_first: bool
) -> None:
    state = LiveState(content_of(WORLD), 0)
    state.replace_part(
        state.part(CatalogueView).with_products(
            {i: ProductInfo(i, i, "", None, None, None, is_active=False) for i in withdrawn}
        )
    )
    for account_id, product_ids in bought.items():
        state.part(Ownership).replace(account_id, product_ids)
    state.part(Objections).replace(["bob"], {"bob"})

    options = ArbitrationOptions(is_up_sell_first=is_up_sell_first)
    together = decide_many(gather(state, wanted, options))

    assert together == [decide(gather(state, [request], options)) for request in wanted]


def test_an_account_that_objects_is_offered_nothing_among_others() -> None:
    state = LiveState(content_of(WORLD), 0)
    state.part(Objections).replace(["bob"], {"bob"})

    ann, bob = decide_many(gather(state, [OfferRequest("ann", 2), OfferRequest("bob", 2)]))

    assert len(ann.offers) == 2
    assert (bob.source, bob.offers, bob.withheld) == (Source.NONE, [], {WithheldCode.OBJECTED: 2})


def test_facts_do_not_change_with_the_catalogue() -> None:
    state = LiveState(content_of(WORLD), 0)
    request = OfferRequest("ann", 1)
    facts = gather(state, [request])
    (first,) = decide(facts).offers

    product_id = first["product_id"]
    state.replace_part(
        state.part(CatalogueView).with_products(
            {product_id: ProductInfo(product_id, "", "", None, None, None, is_active=False)}
        )
    )

    assert decide(facts).offers == [first]
    assert decide(gather(state, [request])).offers != [first]
