"""Scores of neighbours against a dictionary, at sizes where every shortcut is taken."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.account_products import AccountProducts
from service.offers.neighbours import NeighbourScores, contributors_to, sort_with_places
from service.offers.sources.blocks import best_first
from tests.artifacts import coffee_world, content_of

N_PRODUCTS = 300
WIDTH = 40


def random_lists(seed: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Neighbour lists with gaps; scores are small fractions of two, so that sums are exact and ties are many."""
    rng = np.random.default_rng(seed)
    products = np.array([rng.permutation(N_PRODUCTS)[:WIDTH] for _ in range(N_PRODUCTS)], dtype=np.int32)
    products[rng.random(products.shape) < 0.1] = NO_ROW
    return products, (rng.integers(1, 16, products.shape) / 16).astype(np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 20, 200])
def test_every_neighbour_comes_out_with_its_sum_and_its_greatest_contributors(size: int) -> None:
    products, scores = random_lists(size)
    rows = sorted(np.random.default_rng(size).permutation(N_PRODUCTS)[:size].tolist())
    parts: dict[int, list[tuple[float, int]]] = {}
    for row in rows:
        for product, score in zip(products[row].tolist(), scores[row].tolist(), strict=True):
            if product != NO_ROW:
                parts.setdefault(product, []).append((score, row))
    content = replace(content_of(coffee_world()), neighbour_products=products, neighbour_scores=scores)

    seeds = AccountProducts.from_rows([np.array(rows, dtype=np.int32)], N_PRODUCTS)
    neighbours = NeighbourScores(content, seeds, 1)

    sums = {product: sum(score for score, _ in contributions) for product, contributions in parts.items()}
    assert dict(zip(neighbours.product.tolist(), neighbours.score.tolist(), strict=True)) == sums
    best = best_first(neighbours.account, neighbours.product, neighbours.score, 1, len(sums))
    assert neighbours.product[best].tolist() == sorted(sums, key=lambda product: (-sums[product], product))
    for place, product in enumerate(neighbours.product.tolist()):
        greatest = sorted(parts[product], key=lambda part: (-part[0], part[1]))[:2]
        assert neighbours.contributors(place) == [row for _, row in greatest]
        assert contributors_to(content, np.array(rows, dtype=np.int32), product) == [row for _, row in greatest]
    strange = next(product for product in range(N_PRODUCTS + 1) if product not in parts)
    assert contributors_to(content, np.array(rows, dtype=np.int32), strange) == []


def test_neighbours_of_several_accounts_are_those_of_each() -> None:
    products, scores = random_lists(5)
    content = replace(content_of(coffee_world()), neighbour_products=products, neighbour_scores=scores)
    rng = np.random.default_rng(5)
    rows = [np.sort(rng.permutation(N_PRODUCTS)[:size]).astype(np.int32) for size in (3, 0, 40)]

    together = NeighbourScores(content, AccountProducts.from_rows(rows, N_PRODUCTS), 3)

    for account, seeds in enumerate(rows):
        alone = NeighbourScores(content, AccountProducts.from_rows([seeds], N_PRODUCTS), 1)
        places = np.flatnonzero(together.account == account)
        assert together.product[places].tolist() == alone.product.tolist()
        assert together.score[places].tolist() == alone.score.tolist()
        assert [together.contributors(int(place)) for place in places] == [
            alone.contributors(place) for place in range(len(places))
        ]


def test_products_without_neighbours_give_none() -> None:
    content = content_of(coffee_world())
    none = replace(
        content, neighbour_products=content.neighbour_products[:, :0], neighbour_scores=content.neighbour_scores[:, :0]
    )

    assert not len(
        NeighbourScores(none, AccountProducts.from_rows([np.array([0, 1], dtype=np.int32)], N_PRODUCTS), 1).product
    )


@given(
    st.lists(st.integers(NO_ROW, 99), max_size=300),
    st.sampled_from([100, 2**20, 2**28, 2**31 - 1]),
)
def test_rows_are_sorted_with_their_places_whatever_the_width_of_the_integer(values: list[int], n_rows: int) -> None:
    rows = np.array([NO_ROW if value == NO_ROW else n_rows - 1 - value for value in values], dtype=np.int32)

    sorted_rows, places = sort_with_places(rows, n_rows)

    expected = rows.argsort(kind="stable")
    assert places.tolist() == expected.tolist()
    assert sorted_rows.tolist() == rows[expected].tolist()
