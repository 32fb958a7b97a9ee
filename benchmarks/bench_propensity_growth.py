"""How the learning of propensity grows with accounts: seconds of its parts, each beside a floor, and peak memory.

Run: python -m benchmarks propensity_growth

Ten lines an account over a year, two an order, 20,000 products in 30 lines and 200 categories. Candidates are random: a
ranker would cost more than all that is measured here.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.measure import peak_memory_mib, show
from models.artifact import (
    NO_NUMBER,
    GroupDemand,
    Groups,
    IdIndex,
    Products,
    Propensities,
    TextColumn,
    dimensions,
    in_hash_order,
)
from models.artifact.whitespace import count_cells
from models.candidates import CANDIDATES, CandidateLists
from models.customers.groups import groups_of
from models.customers.holdings import holdings_of
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions, owned_matrix
from models.propensity.examples import MAX_ACCOUNTS, batches_of, best_of, bought_between, describe_pairs, examples_at
from models.propensity.features import FEATURES
from models.propensity.groups import spend_factors
from models.propensity.pair_tables import learn_tables
from models.propensity.rates import Rates
from models.propensity.second_stage import SecondStage, learn_second_stage
from models.propensity.snapshot import N_SEGMENTS, Snapshot
from models.propensity.train_groups import LearnedGroups, learn_groups
from models.propensity.train_propensity import lay_out
from models.ranking.shortlist import RANKERS, Shortlist
from models.ranking.similar_accounts import SIMILAR

SIZES = ((10_000, 3), (100_000, 3), (1_000_000, 1))
"""Accounts, and how many runs."""
PRODUCTS, LINES, CATEGORIES = 20_000, 30, 200
LINES_PER_ACCOUNT, LINES_PER_ORDER, DAYS, HORIZON_DAYS = 10, 2, 365, 90
DAY = 86_400
BEGIN = 19_000 * DAY
AS_OF = BEGIN + DAYS * DAY
FAMILIES = (1, 11, 3, 3, 3, 1, 8)
"""How many segments each family has."""
FLOOR_PAIRS = 100_000
SEED = 1
PARTS = ("learn from two windows", "rank all candidates", "all lines and categories", "count cells", "lay out")

Seconds = dict[str, tuple[float, float]]
"""By part: ours, and the floor's: one product of a matrix of as many pairs and features, or one sort of as many."""


@dataclass(frozen=True)
class World:
    """A history of random purchases, popular products more often, and random candidates of every account."""

    n_accounts: int

    @cached_property
    def products(self) -> Products:
        names = in_hash_order(f"p{number}" for number in range(PRODUCTS))
        blank, unknown = TextColumn.from_texts([""] * PRODUCTS), np.full(PRODUCTS, NO_NUMBER)
        return Products(
            ids=IdIndex.from_ids(names),
            names=TextColumn.from_texts(names),
            lines=TextColumn.from_texts(f"line {row % LINES:02}" for row in range(PRODUCTS)),
            categories=TextColumn.from_texts(f"category {row % CATEGORIES:03}" for row in range(PRODUCTS)),
            families=blank,
            currencies=blank,
            tiers=unknown,
            prices_minor=np.random.default_rng(SEED).integers(100, 10_000, PRODUCTS),
            margins_minor=unknown,
            is_active=np.ones(PRODUCTS, dtype=np.bool_),
            is_merchandise=np.ones(PRODUCTS, dtype=np.bool_),
            parents=blank,
            replaced=blank,
        )

    @cached_property
    def interactions(self) -> Interactions:
        rng = np.random.default_rng(SEED)
        n = self.n_accounts * LINES_PER_ACCOUNT
        product = (rng.random(n) ** 3 * PRODUCTS).astype(np.int32)
        return Interactions(
            account=np.arange(n, dtype=np.int32) // LINES_PER_ACCOUNT,
            product=product,
            order=np.arange(n, dtype=np.int32) // LINES_PER_ORDER,
            time=np.repeat(rng.integers(BEGIN, AS_OF, n // LINES_PER_ORDER), LINES_PER_ORDER),
            quantity=np.ones(n, dtype=np.float32),
            amount_minor=self.products.prices_minor[product],
            account_ids=np.array([f"a{row}" for row in range(self.n_accounts)], dtype=object),
            product_ids=np.array(list(self.products.ids.texts), dtype=object),
            order_count=n // LINES_PER_ORDER,
        )

    @cached_property
    def snapshots(self) -> list[Snapshot]:
        """Three windows, and now."""
        facts, interactions = AccountFacts.none(self.n_accounts), self.interactions
        begins = [AS_OF - horizons * HORIZON_DAYS * DAY for horizons in (3, 2, 1, 0)]
        pasts = [interactions.select(interactions.time < begin) for begin in begins]
        return [
            Snapshot(past, self.products, facts, begin, HORIZON_DAYS) for past, begin in zip(pasts, begins, strict=True)
        ]

    @cached_property
    def lists(self) -> CandidateLists:
        rng, shape = np.random.default_rng(SEED), (self.n_accounts, CANDIDATES)
        products = (rng.random(shape, dtype=np.float32) ** 2 * (PRODUCTS - 1)).astype(np.int32)
        nothing = np.empty((self.n_accounts, 0, 2), dtype=np.int32)
        scores = np.sort(rng.random(shape, dtype=np.float32), axis=1)[:, ::-1]
        return CandidateLists(products, scores, nothing, np.empty(0, dtype=np.float32))

    def shortlist(self, rows: NDArray[np.int32]) -> Shortlist:
        """Random candidates of some accounts."""
        scores = self.lists.scores[rows]
        rankers = np.repeat(scores[..., None], RANKERS, axis=2)
        owned = np.empty((0, 1 + RANKERS), dtype=np.float32)
        return Shortlist(rows, self.lists.products[rows], scores, rankers, owned)

    @cached_property
    def similar(self) -> csr_matrix:
        """Fifty random accounts that each is similar to."""
        n = self.n_accounts * SIMILAR
        others = np.sort(np.random.default_rng(SEED).integers(0, self.n_accounts, (self.n_accounts, SIMILAR)), axis=1)
        starts = np.arange(0, n + 1, SIMILAR)
        return csr_matrix((np.ones(n, dtype=np.float32), others.ravel(), starts), shape=(self.n_accounts,) * 2)

    @cached_property
    def groups(self) -> tuple[Groups, Groups]:
        owned = owned_matrix(self.interactions)
        return groups_of(self.products.lines, owned), groups_of(self.products.categories, owned)


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size, runs in SIZES:
            seconds_path = Path(folder) / "seconds.json"
            peaks, timings = [], []
            for _ in range(runs):
                peaks.append(peak_memory_mib(measure_size, size, seconds_path))
                timings.append(json.loads(seconds_path.read_text()))
            for part in PARTS:
                ours, floors = ([timing[part][place] for timing in timings] for place in (0, 1))
                note = f"peak of all {max(peaks):,.0f} MiB" if part == PARTS[0] else ""
                rows.append((f"{size:,} accounts: {part}", ours, floors, note))
    show("Propensity: from counts to what is looked up", "floor", rows)


def measure_size(size: int, seconds_path: Path) -> None:
    """All of it in a process of its own, which writes down the seconds."""
    seconds_path.write_text(json.dumps(measure(World(size))))


def measure(world: World) -> Seconds:
    """Do all of it once, part by part, each followed by its floor."""
    parts = _parts(world)
    seconds: Seconds = {}
    for part in PARTS:
        begun = time.perf_counter()
        floor = next(parts)
        ended = time.perf_counter()
        floor()
        seconds[part] = ended - begun, time.perf_counter() - ended
    return seconds


def _parts(world: World) -> Iterator[Any]:
    """Do one part after the other; each yields its floor."""
    n_pairs = world.n_accounts * CANDIDATES
    _, _, _, now = _ = world.snapshots
    world.lists, world.groups  # noqa: B018 - made before anything is timed
    stage = learn_from_windows(world)
    yield lambda: multiply(4 * MAX_ACCOUNTS * CANDIDATES, len(FEATURES))
    candidates = rank_candidates(world, now, stage)
    yield lambda: multiply(n_pairs, len(FEATURES))
    by_line, by_category = (learn_groups(world.snapshots, world.interactions, groups, SEED) for groups in world.groups)
    yield lambda: multiply(world.n_accounts * (LINES + CATEGORIES), 11)
    factors = spend_factors(now)
    for learned, groups in zip((by_line, by_category), world.groups, strict=True):
        count_all(world, groups, learned, factors)
    yield lambda: multiply(world.n_accounts * (LINES + CATEGORIES) * len(FAMILIES), 1)
    nothing = Propensities.empty(
        {
            dimensions.ACCOUNTS: world.n_accounts,
            dimensions.CANDIDATES: CANDIDATES,
            dimensions.PRODUCTS: PRODUCTS,
            dimensions.LINES: LINES,
            dimensions.CATEGORIES: CATEGORIES,
        }
    )
    rates = Rates(np.full(PRODUCTS, 1e-5), np.full(CATEGORIES + 1, 1e-5), np.ones(N_SEGMENTS + 1))
    lay_out(world.lists, candidates, rates, by_line, by_category, nothing, factors)
    yield lambda: np.sort(candidates, axis=None)


def learn_from_windows(world: World) -> SecondStage:
    """Describe candidates of 5,000 accounts at two snapshots, fit on each, and predict the later one by the earlier."""
    rows = np.sort(np.random.default_rng(SEED).permutation(world.n_accounts)[:MAX_ACCOUNTS]).astype(np.int32)
    stages: list[SecondStage] = []
    for snapshot in world.snapshots[1:-1]:
        listed = world.shortlist(rows)
        bought = bought_between(world.interactions, snapshot.as_of, HORIZON_DAYS)
        examples = examples_at(snapshot, learn_tables(snapshot, world.similar.__getitem__), listed, bought)
        if stages:
            stages[0].adapted(examples.features, examples.novelty).scores(examples.features)
        stages.append(learn_second_stage(examples, listed.products[listed.is_pair], SEED)[0])
    return stages[-1]


def rank_candidates(world: World, now: Snapshot, stage: SecondStage) -> NDArray[np.float32]:
    """Rank every account's candidates by P, and return it."""
    tables = learn_tables(now, world.similar.__getitem__)
    p = np.empty((world.n_accounts, CANDIDATES), dtype=np.float32)
    for batch in batches_of(world.n_accounts):
        listed = world.shortlist(np.arange(batch.start, batch.stop, dtype=np.int32))
        scores = stage.scores(describe_pairs(tables, listed))
        _, places = best_of(listed, scores, CANDIDATES)
        p[batch] = stage.probabilities(scores)[places]
    return p


def count_all(world: World, groups: Groups, learned: LearnedGroups, factors: NDArray[np.float32]) -> None:
    """Count white space of one kind of group for as many segments as training has."""
    holdings = holdings_of(world.interactions, groups, AS_OF // DAY)
    assert learned.likely is not None
    assert learned.spend is not None
    demand = GroupDemand(
        groups,
        holdings,
        learned.likely,
        learned.spend,
        factors,
        np.ones(len(groups), dtype=np.bool_),
        AS_OF // DAY,
        HORIZON_DAYS,
    )
    rng = np.random.default_rng(SEED)
    for n_segments in FAMILIES:
        count_cells(demand, rng.integers(0, n_segments, world.n_accounts).astype(np.int16), n_segments)


def multiply(n_pairs: int, n_features: int) -> float:
    """Multiply a matrix of as many pairs and features with a vector, in pieces that fit into memory."""
    piece = np.ones((FLOOR_PAIRS, n_features), dtype=np.float32)
    weights = np.ones(n_features, dtype=np.float32)
    return sum(float((piece @ weights)[0]) for _ in range(-(-n_pairs // FLOOR_PAIRS)))


if __name__ == "__main__":
    main()
