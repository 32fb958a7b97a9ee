"""Simulated histories: purchases drawn from the models of customer value, and order lines of accounts with tastes."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.worlds import N_PRODUCTS, account_names, grouped_products, world, write_content
from models.artifact import CellTotals, Products, Propensities
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, CATEGORIES, GROUPS, LINES, PRODUCTS, SEGMENTS
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS, format_time
from models.products.repurchases import learn_repurchases

DAYS = 300
R, ALPHA, A, B = 0.8, 20.0, 0.9, 3.0
START_DAY = 19_400
AS_OF = (START_DAY + DAYS) * DAY_SECONDS
TASTES = 6
LOYALTY = 0.7
"""The share of lines that an account buys within its taste."""


def purchases(size: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Simulate 300 days of purchases: the account of each, int64 (n,), and the day since the start, float64 (n,)."""
    rate, leaving = random.gamma(R, 1 / ALPHA, size), random.beta(A, B, size)
    next_day = random.uniform(0, DAYS / 2, size)
    accounts, days = [], []
    active: NDArray[np.int64] = np.arange(size)
    while len(active):
        accounts.append(active)
        days.append(next_day[active])
        active = active[random.random(len(active)) >= leaving[active]] if len(accounts) > 1 else active
        next_day[active] += random.exponential(1 / rate[active])
        active = active[next_day[active] < DAYS]
    return np.concatenate(accounts), np.concatenate(days)


def order_lines(size: int, seed: int = 1) -> Interactions:
    """Write about ten lines for each account: its purchases, each an order of one to three products."""
    random = np.random.default_rng(seed)
    account, day = purchases(size, random)
    n_lines = random.integers(1, 4, len(account))
    order: NDArray[np.int64] = np.repeat(np.arange(len(account)), n_lines)
    within = random.random(len(order)) < LOYALTY
    product = random.integers(0, N_PRODUCTS, len(order))
    # Lines and categories are assigned in turn, so that a taste is a sixth of both.
    product = np.where(within, product // TASTES * TASTES + account[order] % TASTES, product) % N_PRODUCTS
    return Interactions(
        account=account[order].astype(np.int32),
        product=product.astype(np.int32),
        order=order.astype(np.int32),
        time=((START_DAY + day[order]) * DAY_SECONDS).astype(np.int64),
        quantity=np.ones(len(order), dtype=np.float32),
        amount_minor=random.integers(100, 5_000, len(order)),
        account_ids=np.array(account_names(size), dtype=object),
        product_ids=np.array(list(catalogue().ids.texts), dtype=object),
        order_count=len(account),
    )


@lru_cache
def catalogue() -> Products:
    """The products that are bought: in 30 lines and 200 categories, all with a margin."""
    return grouped_products()


def learn(interactions: Interactions) -> tuple[LearnedAccounts, dict[str, Any]]:
    """Value and segment the accounts, as training does."""
    return learn_accounts(interactions, catalogue(), AccountFacts.none(interactions.n_accounts), AS_OF, None)


def write_segmented_world(root: Path, n_accounts: int) -> str:
    """Write and activate an artifact of random lists, with all that is learned from its accounts' history."""
    interactions = order_lines(n_accounts)
    learned, described = learn(interactions)
    owned = owned_matrix(interactions)
    bare = world(n_accounts, np.random.default_rng(1))
    n_lines, n_categories = len(learned.lines), len(learned.categories)
    sizes = {
        ACCOUNTS: n_accounts,
        PRODUCTS: N_PRODUCTS,
        CANDIDATES: bare.candidate_products.shape[1],
        LINES: n_lines,
        CATEGORIES: n_categories,
        SEGMENTS: len(learned.segments.series_week),
    }
    content = replace(
        bare,
        products=catalogue(),
        owned_offsets=owned.indptr.astype(np.int64),
        owned_products=owned.indices.astype(np.int32),
        owned_scores=np.ones(owned.nnz, dtype=np.float32),
        repurchases=learn_repurchases(interactions, catalogue(), owned, None),
        propensities=Propensities.empty(sizes),
        line_cells=CellTotals.empty(sizes | {GROUPS: n_lines}),
        category_cells=CellTotals.empty(sizes | {GROUPS: n_categories}),
        report=orjson.dumps({"customers": described}, option=orjson.OPT_SERIALIZE_NUMPY),
        **vars(learned),
    )
    return write_content(root, content, format_time(AS_OF))
