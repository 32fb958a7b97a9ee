"""The index of relationships, against a brute force over what stands of each product."""

from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact.relationships import ACCESSORY, CROSS_SELL, SUBSTITUTE, UP_SELL
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship
from service.readmodel.relationships import (
    ACCESSORY_OF,
    BANNED_FROM,
    MAX_COMPANIONS,
    SUBSTITUTE_OF,
    RelationshipIndex,
)
from tests.service.offers.test_relationships import COFFEE, WORLD, Case, cases, state_of

UPGRADE = CuratedRelationship(Relation.UP_SELL, is_banned=False)


def index_of(case: Case) -> RelationshipIndex:
    return state_of(case.world, case.curated).part(CatalogueView).relationships


def arrays_of(index: RelationshipIndex) -> dict[str, list[object]]:
    names = ("starts", "target", "relation", "strength", "is_curated", "position")
    return {name: getattr(index, name).tolist() for name in names}


@given(cases())
def test_the_arrays_hold_what_stands_of_each_product_in_order(case: Case) -> None:
    index = index_of(case)

    rows = [
        [
            (r.target, r.relation, np.float32(r.strength), r.is_curated)
            for r in index.standing(source)
            if not r.is_banned
        ]
        for source in range(index.learned.n_products)
    ]
    columns = zip(index.target, index.relation, index.strength, index.is_curated, strict=True)
    entries = [tuple(entry) for entry in columns]
    assert [entries[begin:end] for begin, end in zip(index.starts, index.starts[1:], strict=False)] == rows
    for relation in (UP_SELL, CROSS_SELL, ACCESSORY, SUBSTITUTE):
        begins, ends = index.runs(relation)
        for source, run in enumerate(rows):
            targets = [entry[0] for entry in run if entry[1] == relation]
            assert index.target[begins[source] : ends[source]].tolist() == targets


@given(cases())
def test_companions_are_the_strongest_cross_sells_and_accessories(case: Case) -> None:
    index = index_of(case)

    targets, strengths = index.companions
    for source in range(index.learned.n_products):
        companions = [r for r in index.standing(source) if r.relation in (CROSS_SELL, ACCESSORY) and not r.is_banned]
        strongest = sorted(-np.float32(r.strength) for r in companions)[:MAX_COMPANIONS]
        kept = strengths[source][np.isfinite(strengths[source])] if targets.shape[1] else np.empty(0)
        assert kept.tolist() == [-strength for strength in strongest]
        assert {t for t in targets[source].tolist() if t >= 0} <= {r.target for r in companions}


@given(cases())
def test_guards_are_substitutes_accessories_and_bans(case: Case) -> None:
    index = index_of(case)
    expected = set()
    for source in range(index.learned.n_products):
        for r in index.standing(source):
            if r.is_banned:
                expected.add((r.target, source, BANNED_FROM))
                if index.learned.relation_of(source, r.target) == ACCESSORY:
                    expected.add((r.target, source, ACCESSORY_OF))
            elif r.relation in (ACCESSORY, SUBSTITUTE):
                expected.add((r.target, source, ACCESSORY_OF if r.relation == ACCESSORY else SUBSTITUTE_OF))

    products = np.arange(index.learned.n_products)
    places, numbers = index.guards.expand(products)

    guards = zip(
        places.tolist(), index.guard_others[numbers].tolist(), index.guard_kinds[numbers].tolist(), strict=True
    )
    assert sorted(guards) == sorted(expected)


@given(cases(), st.randoms(use_true_random=False))
def test_changes_in_any_order_give_the_index_that_all_of_them_give_at_once(case: Case, random: object) -> None:
    at_once = index_of(case)
    sources = list(case.curated)
    random.shuffle(sources)  # type: ignore[attr-defined]

    view = state_of(case.world, {}).part(CatalogueView)
    for source in sources:
        view = view.with_curated({source: {}})
        view = view.with_curated({source: case.curated[source]})

    assert arrays_of(view.relationships) == arrays_of(at_once)
    assert view.relationships.dropped == at_once.dropped
    without = view.with_curated({source: {} for source in sources}).relationships
    assert arrays_of(without) == arrays_of(state_of(case.world, {}).part(CatalogueView).relationships)


def test_which_upgrade_gives_way_does_not_depend_on_the_order_of_curation() -> None:
    world = replace(COFFEE, relationships=[("milk", "up_sell", "mug", 9), ("kettle", "up_sell", "beans", 9)])
    curated = {"beans": {"milk": UPGRADE}, "mug": {"kettle": UPGRADE}}

    dropped = [
        state_of(world, {source: curated[source] for source in order}).part(CatalogueView).relationships.dropped
        for order in permutations(curated)
    ]

    assert dropped[0] == dropped[1]
    assert sum(map(len, dropped[0].values())) == 1


@pytest.mark.parametrize("n", [3, 300])
def test_upgrades_in_a_long_chain_stand(n: int) -> None:
    """A chain without a circle costs a pass over it, and nothing gives way."""
    products = [f"p{number:03}" for number in range(n)]
    world = replace(
        COFFEE,
        products=[replace(COFFEE.products[0], product_id=product) for product in products],
        owned={"ann": ["p000"]}, neighbours={}, popular=products, relationships=[],
    )  # fmt: skip
    curated = {first: {second: UPGRADE} for first, second in pairwise(products)}

    index = state_of(world, curated).part(CatalogueView).relationships

    assert index.dropped == {}
    assert len(index.target) == n - 1


def test_without_anything_curated_the_artifact_s_arrays_are_used_as_they_are() -> None:
    state = state_of(WORLD, {})

    index = state.part(CatalogueView).relationships

    assert index.target is state.content.relationships.target
    assert index.starts is state.content.relationships.starts
