"""What is mined from histories that are made so that the answer is known, and from real ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.artifact.relationships import (
    BASES,
    CATEGORY_BASIS,
    CROSS_SELL,
    DECLARED,
    EVIDENCE,
    MOVES,
    OWNERS,
    Relationships,
)
from models.data.interactions import GUEST
from models.products.measures import cosine, lift, log_likelihood_ratio
from models.products.pairs import baskets_of, count_pairs
from models.products.parameters import RelationshipParameters
from models.products.relationships import gate, mine_relationships
from models.products.sequences import count_followers
from models.products.timing import first_purchases, moves_between
from tests.models.products.samples import Basket, groceries, guests, interactions_of, products_of, triples_of

NOISE = 6
"""Rows below are what a test is about; this one and those after it are bought alone, to make a background."""
ALONE = guests(*([NOISE + i % 4] for i in range(400)))
LENIENT = RelationshipParameters(min_together=2, false_discovery_rate=0.9)


def mine(baskets: list[Basket], n_products: int = 10, **catalogue: object) -> Relationships:
    """Mine baskets over a catalogue."""
    return mine_relationships(interactions_of(baskets, n_products), products_of(n_products, **catalogue))  # type: ignore[arg-type]


def position_of(relationships: Relationships, source: int, target: int) -> int:
    """The position of a relationship."""
    (place,) = np.flatnonzero((relationships.sources() == source) & (relationships.target == target))
    return int(place)


def test_what_is_bought_together_is_a_cross_sell_both_ways_with_its_figures() -> None:
    relationships = mine([*guests(*([[0, 1]] * 30), *([[0]] * 10), *([[1]] * 20)), *ALONE])

    assert triples_of(relationships) == {(0, "cross_sell", 1), (1, "cross_sell", 0)}
    position = position_of(relationships, 0, 1)
    assert (
        relationships.together[position],
        relationships.n_source[position],
        relationships.n_target[position],
        relationships.n_total[position],
    ) == (30, 40, 50, 460)
    assert relationships.confidence[position] == pytest.approx(30 / 40)
    assert relationships.lift[position] == pytest.approx(30 * 460 / (40 * 50))
    assert relationships.strength[position] == pytest.approx(30 / 40 - 50 / 460)
    assert relationships.value_growth[position] == pytest.approx(200 / 100 - 1)


def test_a_cheaper_thing_that_hardly_goes_alone_is_an_accessory_of_its_main_product() -> None:
    baskets = [*guests(*([[0, 1]] * 20), *([[0]] * 300), [1], [1]), *ALONE]

    cheaper = mine(baskets, price={0: 5000, 1: 300})
    dearer = mine(baskets, price={0: 300, 1: 5000})

    assert triples_of(cheaper) == {(0, "accessory", 1), (1, "cross_sell", 0)}
    assert triples_of(dearer) == {(0, "cross_sell", 1), (1, "cross_sell", 0)}


def test_accounts_that_follow_within_the_window_make_a_sequence_and_later_ones_do_not() -> None:
    soon = [(i, day, [product]) for i in range(20) for day, product in ((0, 0), (20, 1))]
    late = [(20 + i, day, [product]) for i in range(20) for day, product in ((0, 2), (40, 3))]
    others = [(40 + i, 0, [NOISE + i % 4]) for i in range(400)]

    relationships = mine([*soon, *late, *others])

    assert triples_of(relationships) == {(0, "cross_sell", 1)}
    assert EVIDENCE[relationships.evidence[0]] == "sequence"
    assert (relationships.together[0], relationships.n_total[0]) == (20, 440)
    assert relationships.days[0].tolist() == [20, 20, 20]
    assert relationships.n_days[0] == 20


def test_a_higher_tier_of_the_family_is_declared_until_accounts_move_up() -> None:
    moved = [(i, day, [product]) for i in range(5) for day, product in ((0, 1), (10 * (i + 1), 2))]
    others = [(5 + i, 0, [NOISE + i % 4]) for i in range(50)]

    relationships = mine(
        [*moved, *others], family=dict.fromkeys(range(3), "f"), tier={0: 1, 1: 2, 2: 3}, price={1: 100, 2: 150}
    )

    upgrades = {(s, t) for s, relation, t in triples_of(relationships) if relation == "up_sell"}
    assert upgrades == {(0, 1), (0, 2), (1, 2)}
    assert relationships.evidence[position_of(relationships, 0, 1)] == DECLARED
    position = position_of(relationships, 1, 2)
    assert (relationships.evidence[position], relationships.together[position], relationships.n_source[position]) == (
        MOVES,
        5,
        5,
    )
    assert relationships.days[position].tolist() == [20, 30, 40]
    assert relationships.price_step_minor[position] == 50


def test_a_family_never_leads_to_a_lower_price_nor_downwards() -> None:
    relationships = mine(ALONE, family={0: "f", 1: "f"}, tier={0: 1, 1: 2}, price={0: 200, 1: 100})
    assert triples_of(relationships) == set()


def test_without_tiers_a_dearer_product_needs_accounts_that_move_up_more_than_down() -> None:
    up = [(i, day, [product]) for i in range(30) for day, product in ((0, 0), (50, 1))]
    both_ways = [(30 + i, day, [2 + (i + day // 50) % 2]) for i in range(30) for day in (0, 50)]
    others = [(60 + i, 0, [NOISE + i % 4]) for i in range(400)]

    relationships = mine([*up, *both_ways, *others], category="c", price={0: 100, 1: 150, 2: 100, 3: 150})

    assert {(s, t) for s, relation, t in triples_of(relationships) if relation == "up_sell"} == {(0, 1)}


def test_what_few_of_many_move_to_is_no_upgrade() -> None:
    movers = [(i, day, [product]) for i in range(30) for day, product in ((0, 0), (50, 1))]

    for n_others, upgrades in ((200, {(0, 1)}), (300, set())):
        others = [(30 + i, 0, [0]) for i in range(n_others)]
        relationships = mine([*movers, *others], category="c", price={0: 100, 1: 150})
        assert {(s, t) for s, relation, t in triples_of(relationships) if relation == "up_sell"} == upgrades


def test_what_the_same_accounts_buy_but_hardly_together_stands_in_for_each_other() -> None:
    turns = [(i, day, [day % 2]) for i in range(40) for day in range(12)]
    others = [(40 + i, 0, [NOISE + i % 4]) for i in range(200)]

    relationships = mine([*turns, *others], category={0: "c", 1: "c"})

    assert {(0, "substitute", 1), (1, "substitute", 0)} <= triples_of(relationships)
    assert not any(relation == "cross_sell" for _, relation, _ in triples_of(relationships))
    assert relationships.strength[position_of(relationships, 0, 1)] == pytest.approx(1)


def test_a_product_without_a_history_inherits_what_its_category_goes_with() -> None:
    baskets = [*guests(*([[0, 1]] * 30), [2]), *ALONE]

    relationships = mine(baskets, category={0: "tea", 2: "tea", 1: "milk"})

    position = position_of(relationships, 2, 1)
    assert BASES[relationships.basis[position]] == "category"
    assert (relationships.together[position], relationships.n_days[position]) == (30, 0)
    assert relationships.basis[position_of(relationships, 0, 1)] != CATEGORY_BASIS
    assert mine(baskets, category={0: "tea", 2: "tea", 1: "milk"}, retired=[1]).target.tolist().count(1) == 0


def test_nothing_is_inherited_where_the_products_themselves_have_a_relationship() -> None:
    baskets = [*guests(*([[0, 1]] * 30), [2]), *ALONE]
    category, family = {0: "tea", 2: "tea", 1: "milk"}, {1: "f", 2: "f"}

    upwards = mine(baskets, category=category, family=family, tier={1: 2, 2: 1})
    downwards = mine(baskets, category=category, family=family, tier={1: 1, 2: 2})

    assert [triple[:2] for triple in triples_of(upwards) if triple[0] == 2] == [(2, "up_sell")]
    assert [triple[:2] for triple in triples_of(downwards) if triple[0] == 2] == []


def test_each_product_keeps_the_strongest() -> None:
    baskets = [*guests(*([[0, 1]] * 30), *([[0, 2]] * 20), *([[0, 3]] * 10)), *ALONE]
    catalogue = products_of(10)

    relationships = mine_relationships(
        interactions_of(baskets, 10), catalogue, RelationshipParameters(max_per_product=2)
    )

    assert relationships.target[relationships.sources() == 0].tolist() == [1, 2]


@pytest.mark.parametrize("baskets", [guests([0]), guests([0, 1]), [(0, 0, [0])], guests([0], [1])])
def test_a_tiny_history_has_no_relationships(baskets: list[Basket]) -> None:
    relationships = mine(baskets, 2, category="c")

    assert (len(relationships), relationships.starts.tolist()) == (0, [0, 0, 0])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Basket], dict[str, object]]:
    """Any baskets over a catalogue with any families, tiers, categories and prices, some unknown."""
    n = 8
    held = st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True)
    kinds = draw(st.lists(st.tuples(st.integers(GUEST, 5), st.integers(0, 60), held), min_size=1, max_size=12))
    baskets: list[Basket] = [basket for basket in kinds for _ in range(draw(st.integers(1, 4)))]
    texts = st.sampled_from(["", "f", "g"])
    numbers = st.dictionaries(st.integers(0, n - 1), st.integers(1, 5))
    return baskets, {
        "family": {i: draw(texts) for i in range(n)},
        "category": {i: draw(texts) for i in range(n)},
        "tier": draw(numbers),
        "price": {i: 100 * price for i, price in draw(numbers).items()},
    }


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(histories())
def test_whatever_the_history_upgrades_lead_upwards_and_nothing_rests_on_one_basket(
    case: tuple[list[Basket], dict[str, object]],
) -> None:
    baskets, catalogue = case
    products = products_of(8, **catalogue)  # type: ignore[arg-type]
    interactions = interactions_of(baskets, 8)

    relationships = mine_relationships(interactions, products, LENIENT)

    sources = relationships.sources()
    assert (sources != relationships.target).all()
    assert len(set(zip(sources.tolist(), relationships.target.tolist(), strict=True))) == len(relationships)
    # What customers have instead of each other, hardly any has together.
    assert (relationships.together[~np.isin(relationships.evidence, (DECLARED, OWNERS))] >= 2).all()
    assert (relationships.n_source[relationships.evidence != DECLARED] > 0).all()
    upgrades = {(s, t) for s, relation, t in triples_of(relationships) if relation == "up_sell"}
    for source, target in upgrades:
        if products.families[source] and products.families[source] == products.families[target]:
            known = [p for p in (products.prices_minor[source], products.prices_minor[target]) if p > 0]
            assert known == sorted(known)
        assert (target, source) not in upgrades
        assert not any(
            (source, other, target) in triples_of(relationships) for other in ("cross_sell", "substitute", "accessory")
        )
    assert not _goes_round(upgrades)


def _goes_round(edges: set[tuple[int, int]]) -> bool:
    while edges:
        left = {(s, t) for s, t in edges if any(t == other for other, _ in edges)}
        if left == edges:
            return True
        edges = left
    return False


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=60))
def test_moves_and_followers_are_counted_as_account_by_account(purchases: list[tuple[int, int, int]]) -> None:
    first: dict[tuple[int, int], int] = {}
    for account, day, product in purchases:
        first[account, product] = min(day, first.get((account, product), day))
    firsts = first_purchases(interactions_of([(a, day, [p]) for a, day, p in purchases], 6))
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    moves = moves_between(firsts, *(np.array(rows, dtype=np.int32) for rows in zip(*pairs, strict=True)))
    keys, followed = count_followers(firsts, 7, 1)
    followers = dict(zip(keys.tolist(), followed.tolist(), strict=True))

    for place, (a, b) in enumerate(pairs):
        days = [first[i, b] - first[i, a] for i in range(5) if (i, a) in first and (i, b) in first]
        after = [gap for gap in days if gap > 0]
        assert (moves.after[place], moves.before[place], moves.both[place]) == (
            len(after),
            sum(gap < 0 for gap in days),
            len(days),
        )
        expected = np.quantile(after, [0.25, 0.5, 0.75]) if after else [np.nan] * 3
        np.testing.assert_allclose(moves.quartiles[place], expected, rtol=1e-6)
        assert followers.get(a * 6 + b, 0) == sum(1 <= gap <= 7 for gap in days)


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    purchases = first_purchases(
        interactions_of([(i % 40, int(rng.integers(60)), [int(rng.integers(9))]) for i in range(600)], 9)
    )
    first, second = (rows.ravel().astype(np.int32) for rows in np.meshgrid(np.arange(9), np.arange(9)))
    moves, followers = moves_between(purchases, first, second), count_followers(purchases, 7, 2)
    monkeypatch.setattr("models.products.timing.PAIRS_AT_ONCE", 5)
    monkeypatch.setattr("models.products.sequences.PAIRS_AT_ONCE", 50)

    np.testing.assert_array_equal(moves_between(purchases, first, second).quartiles, moves.quartiles)
    for ours, theirs in zip(count_followers(purchases, 7, 2), followers, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.data
def test_groceries_gives_the_published_figures(data_folder: Path) -> None:
    interactions, items = groceries(str(data_folder / "groceries_arules.parquet"))

    pairs = count_pairs(baskets_of(interactions), min_together=1)

    counts = pairs.counts()
    llr, lifts = log_likelihood_ratio(counts), lift(counts)
    best, luckiest = int(llr.argmax()), int(lifts.argmax())
    assert (len(pairs.first), int((pairs.together == 1).sum())) == (9_636, 2_114)
    assert {items[pairs.first[best]], items[pairs.second[best]]} == {"root vegetables", "other vegetables"}
    assert pairs.together[best] == 466
    assert lifts[best] == pytest.approx(2.247, abs=5e-4)
    assert llr[best] == pytest.approx(374.64, abs=5e-3)
    assert cosine(counts)[best] == pytest.approx(0.326, abs=1e-3)
    assert (lifts[luckiest], pairs.together[luckiest]) == (pytest.approx(223.5, abs=0.05), 1)
    stands = gate(pairs, replace(RelationshipParameters(), min_together=1))
    assert 0 < len(stands) < len(pairs.first)
    relationships = mine_relationships(interactions, products_of(len(items)))
    assert set(relationships.relation.tolist()) == {CROSS_SELL}
    assert relationships.together.min() >= 5
