"""Variants of one parent and chains of successors are one thing."""

import pytest

from models.artifact import NO_VARIANTS, variant_groups
from models.artifact.variants import ProductLinks, group_variants
from tests.models.products.samples import products_of


def test_links_connect_directly_and_through_products_that_are_not_sold() -> None:
    links = {
        "red": ProductLinks("shirt", ""),
        "blue": ProductLinks("shirt", ""),
        "blue-2025": ProductLinks("", "blue"),
        "blue-2026": ProductLinks("", "blue-2025"),
        "cap": ProductLinks("caps", ""),
    }

    groups = group_variants(links.items())

    assert len({groups[i] for i in ("red", "blue", "blue-2025", "blue-2026", "shirt")}) == 1
    assert groups["cap"] != groups["red"]


@pytest.mark.parametrize("circle", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_circle_is_a_group(circle: tuple[str, ...]) -> None:
    links = {i: ProductLinks("", circle[(place + 1) % len(circle)]) for place, i in enumerate(circle)}

    assert group_variants(links.items()) == dict.fromkeys(circle, 0)


def test_products_without_links_are_in_no_group() -> None:
    catalogue = products_of(4, parent={0: "shirt", 1: "shirt"})

    groups = variant_groups(catalogue)

    assert groups[0] == groups[1] != NO_VARIANTS
    assert groups[2:].tolist() == [NO_VARIANTS] * 2
