"""What bears reasons out: customers are counted, and each of them once."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.interactions import GUEST, owned_matrix
from models.products.accessories import lower_bound
from models.products.evidence import count_evidence
from models.products.pairs import baskets_of, count_pairs
from models.products.relationships import count_baskets, mine_relationships
from tests.models.products.samples import Basket, guests, interactions_of, products_of, triples_of

ALONE = guests(*([6 + i % 4] for i in range(400)))
BASKETS = st.lists(
    st.tuples(st.integers(GUEST, 4), st.integers(0, 30), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
    min_size=1,
    max_size=40,
)


def customer_of(number: int, account: int) -> object:
    return account if account != GUEST else f"guest {number}"


@given(BASKETS)
def test_customers_behind_a_pair_are_distinct_accounts_and_every_guest(baskets: list[Basket]) -> None:
    customers: defaultdict[tuple[int, int], set[object]] = defaultdict(set)
    for number, (account, _, held) in enumerate(baskets):
        for first in set(held):
            for second in set(held):
                customers[first, second].add(customer_of(number, account))

    pairs = count_pairs(baskets_of(interactions_of(baskets, 6)), min_together=1)

    counted = dict(
        zip(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True), pairs.buyers.tolist(), strict=True)
    )
    assert counted == {pair: len(who) for pair, who in customers.items() if pair[0] < pair[1]}


@given(BASKETS)
def test_evidence_is_what_counting_one_by_one_gives_or_nothing(baskets: list[Basket]) -> None:
    interactions = interactions_of(baskets, 6)
    first, second = (rows.ravel().astype(np.int32) for rows in np.meshgrid(np.arange(-1, 6), np.arange(6)))
    orders = [set(held) for _, _, held in baskets]
    bought: defaultdict[object, set[int]] = defaultdict(set)
    customers: defaultdict[object, set[int]] = defaultdict(set)
    for number, (account, _, held) in enumerate(baskets):
        customers[customer_of(number, account)] |= set(held)
        if account != GUEST:
            bought[account] |= set(held)

    evidence = count_evidence(first, second, *count_baskets(interactions), owned_matrix(interactions))

    assert evidence.n_buyers.tolist() == [sum(i in held for held in customers.values()) for i in range(6)]
    for a in range(6):
        for b in range(6):
            place = evidence.position(a, b) if a != b else None
            together = sum({a, b} <= held for held in orders)
            owners = sum({a, b} <= held for held in bought.values())
            by_chance = (
                sum(a in h for h in bought.values()) * sum(b in h for h in bought.values()) / max(len(bought), 1)
            )
            stated = (0, 0) if place is None else (int(evidence.orders[place]), int(evidence.owners[place]))
            assert stated[0] in (0, together)
            assert stated[1] == (owners if owners >= 3 and owners > by_chance and a != b else 0)


def test_one_customer_with_forty_baskets_is_one_witness() -> None:
    one = [(0, day, [0, 1]) for day in range(40)]
    three = [(day % 3, day, [0, 1]) for day in range(40)]
    singly = guests(*([[0], [1]] * 10))

    of_one = mine_relationships(interactions_of([*one, *singly, *ALONE], 10), products_of(10))
    of_three = mine_relationships(interactions_of([*three, *singly, *ALONE], 10), products_of(10))
    evidence = count_evidence(
        np.array([0]),
        np.array([1]),
        *count_baskets(interactions_of([*one, *singly, *ALONE], 10)),
        owned_matrix(interactions_of(one, 10)),
    )

    assert triples_of(of_one) == set()
    assert triples_of(of_three) == {(0, "cross_sell", 1), (1, "cross_sell", 0)}
    assert (of_three.together.tolist(), of_three.buyers.tolist()) == ([40, 40], [3, 3])
    assert len(evidence.other) == 0


def test_nothing_leads_from_or_to_what_is_no_longer_sold_or_to_a_variant() -> None:
    interactions = interactions_of([*guests(*([[0, 1]] * 30)), *ALONE], 10)

    for catalogue in (
        products_of(10, retired=[0]),
        products_of(10, fees=[1]),
        products_of(10, parent={0: "shirt", 1: "shirt"}),
        products_of(10, replaces={0: str(products_of(10).ids.texts[1])}),
    ):
        assert triples_of(mine_relationships(interactions, catalogue)) == set()


COLOURS = 4
OTHERS = 10


def shoppers(colours_each: int, n_others: int = 6) -> list[Basket]:
    """160 accounts that have some of four colours, one most often, and some of ten other products."""
    rng = np.random.default_rng(1)
    share = np.array([5, 3, 2, 1]) / 11
    others = range(COLOURS, COLOURS + OTHERS)
    return [
        (account, 0, [product])
        for account in range(160)
        for product in [
            *rng.choice(COLOURS, colours_each, replace=False, p=share).tolist(),
            *rng.choice(others, n_others, replace=False).tolist(),
        ]
    ]


@pytest.mark.parametrize("group", ["family", "category"])
def test_products_of_a_group_of_which_customers_have_one_are_substitutes(group: str) -> None:
    catalogue = products_of(14, **{group: dict.fromkeys(range(COLOURS), "shirt")})  # type: ignore[arg-type]

    found = mine_relationships(interactions_of(shoppers(1), 14), catalogue)

    assert triples_of(found) >= {(a, "substitute", b) for a in range(4) for b in range(4) if a != b}
    assert not any({a, b} - set(range(4)) for a, relation, b in triples_of(found) if relation == "substitute")
    assert set(found.together[found.relation == 3].tolist()) == {0}


@pytest.mark.parametrize(("colours_each", "n_others"), [(2, 6), (1, 0)])
def test_a_family_that_people_collect_has_no_substitutes_nor_has_one_of_single_purchases(
    colours_each: int, n_others: int
) -> None:
    catalogue = products_of(14, family=dict.fromkeys(range(COLOURS), "shirt"))

    found = mine_relationships(interactions_of(shoppers(colours_each, n_others), 14), catalogue)

    assert not any(relation == "substitute" for _, relation, _ in triples_of(found))


def test_an_accessory_needs_its_main_product_only_if_hardly_anybody_buys_it_without() -> None:
    always = guests(*([[0, 1]] * 60), *([[0]] * 600))
    mostly = guests(*([[0, 1]] * 60), *([[0]] * 600), *([[1]] * 20))
    later = [(i, day, held) for i in range(60) for day, held in ((0, [0, 1]), (5, [1]))] + guests(*([[0]] * 600))

    for baskets, is_needed in ((always, True), (mostly, False), (later, True)):
        found = mine_relationships(interactions_of([*baskets, *ALONE * 4], 10), products_of(10, price={0: 900, 1: 100}))
        place = int(np.flatnonzero((found.sources() == 0) & (found.target == 1))[0])
        assert (found.relation[place], bool(found.is_needed[place])) == (2, is_needed)


def test_the_lower_bound_is_wilsons() -> None:
    bound = lower_bound(np.array([10.0, 0.0]), np.array([10.0, 10.0]))

    assert bound[0] == pytest.approx(10 / (10 + 1.96**2))
    assert bound[1] == pytest.approx(0)
