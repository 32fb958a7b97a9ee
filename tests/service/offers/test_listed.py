"""Deciding for many accounts at once gives what deciding for each gives."""

from hypothesis import given
from hypothesis import strategies as st

from service.offers.decide import decide
from service.offers.facts import OfferRequest, gather
from service.offers.listed import decide_listed
from service.offers.reasons import WithheldCode
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.product_index import ProductIndex, ProductInfo, ProductRow
from tests.artifacts import N_REASONED, coffee_world, content_of

WORLD = coffee_world()
PRODUCT_IDS = [product.product_id for product in WORLD.products]
ACCOUNT_IDS = [*WORLD.owned, "nobody"]


def withdraw(shelf: ProductIndex, product_id: str) -> None:
    """Take a product off the shelf."""
    row = shelf.row_of(product_id)
    assert row is not None
    shelf.replace_info(ProductRow(row), ProductInfo(product_id, product_id, "", None, None, None, is_active=False))


@given(
    st.lists(st.sampled_from(ACCOUNT_IDS), min_size=1),
    st.sets(st.sampled_from(PRODUCT_IDS), max_size=3),
    st.sets(st.sampled_from(PRODUCT_IDS), max_size=3),
    st.integers(1, 3),
)
def test_whoever_is_decided_for_gets_what_a_single_decision_gives(
    account_ids: list[str], exclude: set[str], withdrawn: set[str], limit: int
) -> None:
    shelf = ProductIndex(content_of(WORLD))
    state = LiveState(shelf.content, 0)
    for product_id in withdrawn:
        withdraw(shelf, product_id)

    decided = decide_listed(shelf, state, account_ids, sorted(exclude), limit)

    for account_id, decision in decided.items():
        assert decision == decide(gather(shelf, state, OfferRequest(account_id, limit, (), sorted(exclude))))


def test_accounts_whose_list_is_not_all_there_is_to_know_are_left_out() -> None:
    shelf = ProductIndex(content_of(WORLD))
    state = LiveState(shelf.content, 0)
    everyone = set(decide_listed(shelf, state, ACCOUNT_IDS, (), N_REASONED))

    state.part(Ownership).replace("ann", ["beans", "filter"])
    state.part(Objections).replace(["bob"], {"bob"})

    assert {"ann", "bob"} <= everyone
    assert set(decide_listed(shelf, state, ACCOUNT_IDS, (), N_REASONED)) == everyone - {"ann", "bob"}
    assert decide_listed(shelf, state, ACCOUNT_IDS, (), N_REASONED + 1) == {}


def test_what_is_withheld_is_counted_up_to_the_last_offer() -> None:
    shelf = ProductIndex(content_of(WORLD))
    first, second = list(WORLD.scores("ann"))[:2]

    decided = decide_listed(shelf, LiveState(shelf.content, 0), ["ann"], [first], 1)

    assert decided["ann"].offers[0]["product_id"] == second
    assert decided["ann"].withheld == {WithheldCode.EXCLUDED: 1}
