"""Ownership follows from net quantities."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.data.history import History
from models.data.interactions import GUEST, owned_matrix
from tests.models.histories import Line, make_history


def owned_names(history: History, account: str) -> set[str]:
    interactions = history.interactions
    row = list(interactions.account_ids).index(account)
    return set(interactions.product_ids[owned_matrix(interactions)[row].indices])


def test_a_returned_product_is_not_owned() -> None:
    history = make_history([("a", "1", "lamp", 0, 2), ("a", "1", "bulb", 0, 1), ("a", "2", "lamp", 9, -2)])

    assert owned_names(history, "a") == {"bulb"}


def test_a_partly_returned_product_is_still_owned() -> None:
    history = make_history([("a", "1", "lamp", 0, 2), ("a", "2", "lamp", 9, -1)])

    assert owned_names(history, "a") == {"lamp"}


def test_fractions_that_cancel_leave_nothing_owned() -> None:
    history = make_history([("a", "1", "cheese", 0, 0.1), ("a", "2", "cheese", 1, 0.2), ("a", "3", "cheese", 2, -0.3)])

    assert owned_names(history, "a") == set()


def test_a_guests_lines_belong_to_no_account() -> None:
    history = make_history([(None, "1", "lamp", 0, 1), ("a", "2", "bulb", 0, 1)])

    assert list(history.interactions.account_ids) == ["a"]
    assert sorted(history.interactions.account.tolist()) == [GUEST, 0]


def test_an_account_that_bought_nothing_has_a_row() -> None:
    history = make_history([("a", "1", "lamp", 0, 1)], account_ids=["prospect"])

    assert owned_names(history, "prospect") == set()


LINES = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "ü"]),
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["lamp", "bulb", "fuse"]),
        st.integers(0, 400),
        st.integers(-3, 3).map(float),
    ),
    min_size=1,
    max_size=30,
)


@given(lines=LINES, seed=st.integers(0, 99))
def test_the_order_of_the_rows_does_not_change_a_history(lines: list[Line], seed: int) -> None:
    lines = [(account, order, product, int(order), quantity) for account, order, product, _, quantity in lines]
    shuffled = [lines[i] for i in np.random.default_rng(seed).permutation(len(lines))]

    assert make_history(lines).fingerprint == make_history(shuffled).fingerprint


@given(lines=LINES)
def test_ownership_is_the_positive_net_quantity(lines: list[Line]) -> None:
    history = make_history([*lines, ("a", "9", "lamp", 0, 1)])

    net: dict[tuple[str, str], float] = {("a", "lamp"): 1.0}
    for account, _, product, _, quantity in lines:
        if account is not None:
            net[account, product] = net.get((account, product), 0) + quantity
    for account in history.interactions.account_ids:
        assert owned_names(history, account) == {p for (a, p), n in net.items() if a == account and n > 0}
