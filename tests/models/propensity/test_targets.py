"""Who has a product among its candidates: the lists, turned round."""

import numpy as np
import pytest

from models.artifact import NO_ROW
from models.propensity.targets import index_targets

PRODUCTS = 9


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_pairs_are_listed_by_product_the_most_likely_first_ties_by_account(share: float) -> None:
    """share: of the pairs that are missing."""
    rng = np.random.default_rng(1)
    products = np.stack([rng.permutation(PRODUCTS)[:4] for _ in range(50)]).astype(np.int32)
    products[rng.random(products.shape) < share] = NO_ROW
    p = rng.choice([0.1, 0.2, 0.4], products.shape).astype(np.float32)

    starts, accounts, places = index_targets(products, p, PRODUCTS)

    for product in range(PRODUCTS):
        expected = sorted((-p[row, place], row, place) for row, place in np.argwhere(products == product).tolist())
        entries = slice(starts[product], starts[product + 1])
        assert list(zip(accounts[entries], places[entries], strict=True)) == [
            (row, place) for _, row, place in expected
        ]
    assert [str(array.dtype) for array in (starts, accounts, places)] == ["int64", "int32", "uint8"]
    assert starts[-1] == len(accounts) == (products != NO_ROW).sum()
