"""Clusters: what is simulated from known tastes is found again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import Groups
from models.artifact.customers import NOT_SEGMENTED
from models.customers.clusters import MIN_ACCOUNTS, MIN_LINES, Clusters, cluster_accounts
from models.customers.groups import groups_of
from models.data.interactions import Interactions, owned_matrix

NAMES = ("bread", "fish", "garden", "milk", "toys", "wine")
TASTES = {"fish and wine": (0, 6, 0, 1, 0, 6), "garden": (1, 0, 9, 1, 0, 0), "toys": (1, 0, 0, 2, 9, 0)}


def shop(n_accounts: int, n_lines: int = 40, seed: int = 1) -> tuple[Interactions, NDArray[np.int64]]:
    """Accounts of three tastes, one product per category, and the taste of each; the last account bought nothing."""
    rng = np.random.default_rng(seed)
    taste = rng.choice(3, n_accounts, p=[0.5, 0.3, 0.2])
    shares = np.array(list(TASTES.values()), dtype=np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    buyers = n_accounts - 1
    product = np.concatenate([rng.choice(len(NAMES), n_lines, p=shares[taste_code]) for taste_code in taste[:buyers]])
    n = buyers * n_lines
    made = Interactions(
        account=np.repeat(np.arange(buyers), n_lines).astype(np.int32),
        product=product.astype(np.int32),
        order=np.arange(n, dtype=np.int32),
        time=np.full(n, 86_400, dtype=np.int64),
        quantity=np.ones(n, dtype=np.float32),
        amount_minor=np.full(n, 100, dtype=np.int64),
        account_ids=np.array([f"a{number}" for number in range(n_accounts)], dtype=object),
        product_ids=np.array(NAMES, dtype=object),
        order_count=n,
    )
    return made, taste[:buyers]


def groups_in(interactions: Interactions) -> Groups:
    """Each product is a category."""
    return groups_of(NAMES, owned_matrix(interactions))


def learn(interactions: Interactions) -> Clusters:
    return cluster_accounts(interactions, [groups_in(interactions)], 0)


def test_known_tastes_are_found_and_named_by_what_sets_them_apart() -> None:
    interactions, taste = shop(300)

    clusters = learn(interactions)

    sizes = np.bincount(taste)
    of_taste = np.argsort(-sizes)  # the largest cluster comes first
    assert len(clusters.traits) == 3
    assert np.array_equal(of_taste[clusters.code[:-1]], taste)
    first_traits = [traits[0].group for traits in clusters.traits]
    assert first_traits == [
        ("fish", "garden", "toys")[code] if code else "wine" for code in of_taste
    ] or first_traits == [("fish", "garden", "toys")[code] for code in of_taste]
    assert set(clusters.names[int(np.flatnonzero(of_taste == 0)[0])].split(" and ")) == {"fish", "wine"}
    assert clusters.silhouette is not None
    assert clusters.silhouette > 0.4


def test_shares_of_a_trait_are_counted() -> None:
    interactions, _ = shop(200)

    clusters = learn(interactions)

    trait = clusters.traits[0][0]
    line_code = clusters.code[interactions.account]
    is_it = interactions.product == NAMES.index(trait.group)
    assert trait.share == pytest.approx(is_it[line_code == 0].mean(), abs=1e-6)
    assert trait.share_of_all == pytest.approx(is_it.mean(), abs=1e-6)


def test_who_bought_nothing_is_in_no_cluster() -> None:
    interactions, _ = shop(200)

    assert learn(interactions).code[-1] == NOT_SEGMENTED


@pytest.mark.parametrize(("n_accounts", "n_lines"), [(MIN_ACCOUNTS, 40), (300, MIN_LINES - 1)])
def test_too_little_makes_no_clusters(n_accounts: int, n_lines: int) -> None:
    interactions, _ = shop(n_accounts, n_lines)

    clusters = learn(interactions)

    assert clusters.traits == ()
    assert clusters.silhouette is None
    assert (clusters.code == NOT_SEGMENTED).all()


def test_accounts_that_are_all_alike_make_no_clusters() -> None:
    interactions, _ = shop(200)
    alike = interactions.select(interactions.product == 3)

    assert learn(alike).traits == ()


def test_the_same_history_gives_the_same_clusters() -> None:
    interactions, _ = shop(300)

    assert np.array_equal(learn(interactions).code, learn(interactions).code)
