"""A product that was first sold lately is offered to the accounts that own what it resembles."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.artifact import Products
from models.data.history import History, build_history
from models.data.interactions import Interactions, owned_matrix
from models.ranking import shortlist
from models.ranking.blend import BlendScorer
from models.ranking.cold_products import ColdProducts
from models.ranking.content import content_vectors
from models.ranking.fit import FittedRankers, fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters
from models.ranking.shortlist import FirstStage

DAY, DAYS = 86_400, 100
GROUPS = {
    "tea": ("Green tea", "Black tea", "Mint tea", "Fruit tea"),
    "nails": ("Steel nail", "Brass nail", "Long nail"),
}
NEW = {"new tea": ("Herbal tea", "tea"), "new nail": ("Copper nail", "nails"), "unsold": ("White tea", "tea")}
PARAMETERS = RankingParameters(embedding_size=2, iterations=4)


def shop() -> History:
    """Accounts that buy of one category alone; guests bought a new product of each five days ago."""
    facts = {name: (name, category) for category, names in GROUPS.items() for name in names} | NEW
    rng = np.random.default_rng(0)
    lines: list[tuple[str | None, str, int]] = []
    for account in range(40):
        names = GROUPS["tea" if account % 2 else "nails"]
        chosen = rng.choice(names, 2, replace=False)
        lines += [(f"a{account}", name, int(rng.integers(30))) for name in chosen]
    lines += [(None, name, DAYS - 5) for name in ("new tea", "new nail")] + [(None, "new nail", DAYS - 1)]
    accounts, products, days = zip(*lines, strict=True)
    table = {
        "account_id": pa.array(accounts, type=pa.string()),
        "order_id": [str(order) for order in range(len(lines))],
        "product_id": products,
        "ordered_at": [day * DAY for day in days],
        "quantity": [1.0] * len(lines),
        "amount_minor": [100] * len(lines),
    }
    names, categories = zip(*facts.values(), strict=True)
    return build_history(
        pa.table(table), pa.table({"product_id": list(facts), "name": names, "category": categories}), None
    )


HISTORY = shop()
PAST, PRODUCTS = HISTORY.interactions, HISTORY.products
ROW = {name: row for row, name in enumerate(PAST.product_ids)}
VECTORS = content_vectors(PRODUCTS, seed=0)


@pytest.fixture(scope="module")
def fitted() -> FittedRankers:
    return fit_rankers(PAST, DAYS * DAY, PARAMETERS, lambda message: None)


def cold_at(fitted: FittedRankers, past: Interactions = PAST, products: Products = PRODUCTS) -> ColdProducts:
    return ColdProducts.from_past(
        past, DAYS * DAY, products.is_offerable, fitted.strength, content_vectors(products, seed=0)
    )


def test_products_of_one_category_are_closer_than_others() -> None:
    likeness = VECTORS @ VECTORS[ROW["new tea"]]

    assert np.linalg.norm(VECTORS, axis=1) == pytest.approx(1, abs=1e-6)
    assert min(likeness[[ROW[name] for name in GROUPS["tea"]]]) > max(likeness[[ROW[name] for name in GROUPS["nails"]]])


def test_the_same_facts_give_the_same_vectors() -> None:
    assert content_vectors(PRODUCTS, seed=0).tobytes() == VECTORS.tobytes()


def test_names_that_are_identifiers_say_nothing() -> None:
    nameless = replace(PRODUCTS, names=PRODUCTS.ids.texts, categories=PRODUCTS.lines)

    assert not content_vectors(nameless, seed=0).any()


def test_cold_products_are_those_first_sold_lately_with_their_sales_per_day(fitted: FittedRankers) -> None:
    cold = cold_at(fitted)

    velocity = dict(zip(PAST.product_ids[cold.products], cold.velocity, strict=True))
    assert velocity == {"new tea": pytest.approx(1 / (5 + 7)), "new nail": pytest.approx(2 / (5 + 7))}


def test_what_may_not_be_offered_is_not_among_them(fitted: FittedRankers) -> None:
    is_active = PRODUCTS.is_active.copy()
    is_active[ROW["new nail"]] = False

    cold = cold_at(fitted, products=replace(PRODUCTS, is_active=is_active))

    assert PAST.product_ids[cold.products].tolist() == ["new tea"]


def test_where_nothing_is_known_of_products_sales_alone_count(fitted: FittedRankers) -> None:
    nameless = replace(PRODUCTS, names=PRODUCTS.ids.texts, categories=PRODUCTS.lines)

    cold = cold_at(fitted, products=nameless)

    assert (cold.score(np.arange(40, dtype=np.int32)) == cold.velocity).all()


def test_a_new_product_is_a_candidate_of_the_accounts_that_own_its_category(
    fitted: FittedRankers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OF_BLEND", "LEAST_OF_BLEND", "OF_SIMILAR_ACCOUNTS", "OF_POPULARITY", "OF_COLD"):
        monkeypatch.setattr(shortlist, name, 1)
    # Popularity would list what sold last to everybody.
    older = replace(fitted, popularity=replace(fitted.popularity, popularity=np.asarray(fitted.strength.sum(0))[0]))
    rows = np.arange(40, dtype=np.int32)

    listed = FirstStage(
        BlendScorer(older, BlendWeights(0.5, 0.5, 0.0)), owned_matrix(PAST), PRODUCTS.is_offerable, cold=cold_at(fitted)
    ).shortlist(rows)

    for account, products in zip(PAST.account_ids[rows], listed.products, strict=True):
        names = set(PAST.product_ids[products[products >= 0]])
        expected = "new tea" if int(account[1:]) % 2 else "new nail"
        assert names & set(NEW) == {expected}
