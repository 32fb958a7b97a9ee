"""Examples are candidates as they would have been listed, and what became of them."""

import numpy as np
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.propensity.examples import batches_of, best_of, bought_between, examples_at, sample_of_known
from models.propensity.features import features_of
from models.propensity.pair_tables import learn_tables
from tests.models.propensity.samples import (
    AS_OF,
    DAY,
    HORIZON_DAYS,
    no_similar,
    random_shop,
    shortlist_of,
    snapshot_of,
)

SHOP = random_shop(5)


def test_what_was_bought_is_kept_and_within_the_horizon() -> None:
    history = SHOP.history().interactions

    bought = bought_between(history, AS_OF, HORIZON_DAYS).tocoo()

    net: dict[tuple[str, str], float] = {}
    for line in SHOP.lines:
        if line.account is not None and AS_OF <= line.time < AS_OF + HORIZON_DAYS * DAY:
            net[line.account, line.product] = net.get((line.account, line.product), 0) + line.quantity
    pairs = {
        (history.account_ids[row], history.product_ids[column])
        for row, column in zip(bought.row, bought.col, strict=True)
    }
    assert pairs == {pair for pair, quantity in net.items() if quantity > 0}


def test_each_candidate_is_an_example_with_its_features_score_account_and_outcome() -> None:
    snapshot = snapshot_of(SHOP)
    rows = np.array([3, 7, 20], dtype=np.int32)
    products = np.array([[1, 2, 5], [4, NO_ROW, NO_ROW], [0, 9, NO_ROW]], dtype=np.int32)
    scores = np.arange(9, dtype=np.float32).reshape(3, 3)
    bought = bought_between(SHOP.history().interactions, AS_OF, HORIZON_DAYS)

    known, listed = learn_tables(snapshot, no_similar(snapshot)), shortlist_of(rows, products, scores)
    examples = examples_at(snapshot, known, listed, bought)

    pairs = [(3, 1), (3, 2), (3, 5), (7, 4), (20, 0), (20, 9)]
    assert examples.account.tolist() == [row for row, _ in pairs]
    assert examples.score.tolist() == [0, 1, 2, 3, 6, 7]
    assert examples.is_true.tolist() == [bought[pair] > 0 for pair in pairs]
    assert examples.novelty == snapshot.novelty_rate(6 / 3)
    expected = features_of(known, listed)[products != NO_ROW]
    np.testing.assert_array_equal(examples.features, expected)


def test_batches_cover_everything_once() -> None:
    assert [i for batch in batches_of(2_500) for i in range(batch.start, batch.stop)] == list(range(2_500))
    assert batches_of(0) == []


def test_the_best_of_each_account_come_with_the_places_of_their_scores() -> None:
    products = np.array([[7, 3, 5], [4, NO_ROW, NO_ROW], [NO_ROW] * 3], dtype=np.int32)
    listed = shortlist_of(np.array([0, 2, 9], dtype=np.int32), products)

    best, places = best_of(listed, np.array([1.0, 3.0, 3.0, -2.0]), 4)

    assert best.tolist() == [[3, 5, 7, NO_ROW], [4, NO_ROW, NO_ROW, NO_ROW], [NO_ROW] * 4]
    assert places.tolist() == [[1, 2, 0, -1], [3, -1, -1, -1], [-1] * 4]


def test_a_sample_of_accounts_holds_those_that_own_something() -> None:
    owned = csr_matrix(np.array([[1, 0], [0, 0], [0, 2]], dtype=np.float32))

    assert sample_of_known(owned, 0).tolist() == [0, 2]
