"""What selling one unit of a product is worth."""

import json
from dataclasses import replace

import numpy as np
import pytest

from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.product_values import BASIS_NAMES, measure_values
from tests.artifacts import ProductSpec, World, content_of

NO_CAP = 1e9


def values_of(*products: ProductSpec, max_ratio: float = NO_CAP) -> dict[str, tuple[float, str]]:
    """The value of each product and what it rests on, at a default rate of a quarter."""
    world = World(products=products, owned={}, neighbours={}, popular=[])
    index = LiveState(content_of(world), 0).part(CatalogueView).products
    values = measure_values(index, 0.25, max_ratio)
    return {
        product_id: (values.value[row], BASIS_NAMES[values.basis[row]])
        for row, product_id in enumerate(index.content.products.ids.texts)
    }


def with_margins(category: str, line: str) -> list[ProductSpec]:
    """Three products with margins of 20, 30 and 40 percent."""
    return [
        ProductSpec(f"{category}{line}{rate}", price_minor=1000, currency="EUR", margin_minor=rate * 10,
                    category=category, line=line)
        for rate in (20, 30, 40)
    ]  # fmt: skip


def test_a_known_margin_is_the_value_and_zero_is_known() -> None:
    values = values_of(
        ProductSpec("a", price_minor=1000, currency="EUR", margin_minor=120),
        ProductSpec("b", price_minor=1000, currency="EUR", margin_minor=0),
        ProductSpec("c", price_minor=1000, currency="EUR", margin_minor=-50),
    )

    assert values == {"a": (120, "margin"), "b": (0, "margin"), "c": (-50, "margin")}


def test_without_a_margin_the_rate_of_the_category_counts_then_of_the_line_then_the_default() -> None:
    values = values_of(
        *with_margins("tea", "drinks"),
        ProductSpec("green", price_minor=500, currency="EUR", category="tea"),
        ProductSpec("juice", price_minor=500, currency="EUR", category="cold", line="drinks"),
        ProductSpec("spoon", price_minor=500, currency="EUR"),
    )

    assert values["green"] == (500 * (0.2 + 0.3 + 0.4) / 3, "category-margin-rate")
    assert values["juice"] == (500 * (0.2 + 0.3 + 0.4) / 3, "line-margin-rate")
    assert values["spoon"] == (500 * 0.25, "default-margin-rate")


def test_two_known_margins_make_no_rate_of_a_category() -> None:
    values = values_of(
        *with_margins("tea", "")[:2], ProductSpec("green", price_minor=500, currency="EUR", category="tea")
    )

    assert values["green"] == (125, "default-margin-rate")


def test_without_a_price_a_product_is_worth_the_median_of_its_category() -> None:
    values = values_of(
        *with_margins("tea", ""),
        ProductSpec("dear", price_minor=90_000, currency="EUR", margin_minor=50_000, category="art"),
        ProductSpec("green", category="tea"),
        ProductSpec("unplaced"),
    )

    assert values["green"] == (300, "typical-value")
    # All: 200, 300, 300, 400, 50,000.
    assert values["unplaced"] == (300, "typical-value")


def test_where_no_price_is_known_each_product_counts_the_same() -> None:
    assert values_of(ProductSpec("a"), ProductSpec("b")) == {"a": (1, "none"), "b": (1, "none")}


def test_one_wrong_price_counts_for_a_multiple_of_the_median_at_most() -> None:
    dear = ProductSpec("dear", price_minor=10**12, currency="EUR", margin_minor=10**12)

    values = values_of(*with_margins("tea", ""), ProductSpec("x", margin_minor=300, currency="EUR"), dear, max_ratio=20)

    # The median of 200, 300, 300, 400 and 10^12.
    assert values["dear"] == (20 * 300, "margin")


def test_prices_in_other_currencies_are_converted_and_those_without_a_rate_are_not_known() -> None:
    world = World(
        products=[
            ProductSpec("home", price_minor=100, currency="EUR", margin_minor=100),
            ProductSpec("abroad", price_minor=100, currency="USD", margin_minor=100),
            ProductSpec("far", price_minor=100, currency="XYZ", margin_minor=100),
        ],
        owned={},
        neighbours={},
        popular=[],
    )
    currency = {"reporting": "EUR", "lines": [], "minor_factors": {"EUR": 1.0, "USD": 0.8}}
    content = replace(content_of(world), report=json.dumps({"currency": currency}).encode())
    products = LiveState(content, 0).part(CatalogueView).products

    values = measure_values(products, 0.25, NO_CAP)

    by_id = dict(zip(content.products.ids.texts, values.value.tolist(), strict=True))
    assert by_id == {"home": 100, "abroad": 80, "far": 90}
    assert values.currency == "EUR"


@pytest.mark.parametrize("margin", [None, 700])
def test_a_changed_price_or_margin_counts_at_once(margin: int | None) -> None:
    world = World([ProductSpec("a", price_minor=1000, currency="EUR")], owned={}, neighbours={}, popular=[])
    view = LiveState(content_of(world), 0).part(CatalogueView)
    row = view.products.row_of("a")
    assert row is not None
    before = view.values(0.25, NO_CAP).value
    changed = replace(view.products.info(row), price_minor=2000, margin_minor=margin)

    after = view.with_products({"a": changed}).values(0.25, NO_CAP).value

    assert np.array_equal(before, [250])
    assert np.array_equal(after, [500 if margin is None else 700])
