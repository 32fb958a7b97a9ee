"""Builds small real artifacts: what training writes, with numbers that a reader can check by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact import (
    NO_NUMBER,
    NO_ROW,
    Content,
    Evidence,
    FileEntry,
    IdIndex,
    Manifest,
    Products,
    Propensities,
    Relationships,
    Repurchases,
    TextColumn,
    Verdict,
    in_hash_order,
    write_artifact,
)
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, PRODUCTS
from models.artifact.relationships import ACCESSORY, RELATIONS
from models.artifact.repurchases import NO_DAY
from models.artifact.sections import Dimension

IN_EUROS = {"reporting": "EUR", "lines": [], "minor_factors": {"": 1.0, "EUR": 1.0}}
"""The report's section on money where everything is in euros."""
N_REASONED = 2
"""How many candidates of each account have precomputed reasons."""


@dataclass(frozen=True)
class ProductSpec:
    """One product of a small catalogue."""

    product_id: str
    name: str = ""
    family: str = ""
    tier: int | None = None
    price_minor: int | None = None
    currency: str = ""
    is_active: bool = True
    is_merchandise: bool = True
    parent_product_id: str = ""
    replaces: str = ""
    line: str = ""
    category: str = ""
    margin_minor: int | None = None


@dataclass(frozen=True)
class World:
    """A small world, in identifiers. Neighbours and popularity are given; an account's scores are sums over them.

    rates: P(an account buys the product), by product; empty where no propensity was learned.
    chances: the same of an account's own candidates, by account and product.
    repeat_chances: the same of what an account owns, 1 by default. repeat_rates: of any other owner, by product.
    last_days: the day of the last purchase of what accounts own, by account and product.
    intervals: learned days between purchases, by product.
    relationships: source, relation, target, and the number of baskets of 100 in which they are together.
    """

    products: Sequence[ProductSpec]
    owned: Mapping[str, Sequence[str]]
    neighbours: Mapping[str, Mapping[str, float]]
    popular: Sequence[str]
    n_candidates: int = 8
    relationships: Sequence[tuple[str, str, str, int]] = ()
    metrics: Mapping[str, float] = field(default_factory=lambda: {"recall_at_10": 0.25})
    rates: Mapping[str, float] = field(default_factory=dict)
    chances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    repeat_chances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    repeat_rates: Mapping[str, float] = field(default_factory=dict)
    last_days: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    intervals: Mapping[str, float] = field(default_factory=dict)

    def contributions(self, account_id: str, product_id: str) -> dict[str, float]:
        """What each owned product adds to the score of a product, strongest first, ties in hash order."""
        contributors = {
            i: self.neighbours.get(i, {}).get(product_id, 0.0) for i in in_hash_order(self.owned[account_id])
        }
        return dict(sorted(((i, s) for i, s in contributors.items() if s > 0), key=lambda pair: -pair[1]))

    def relationships_of(self, row: Mapping[str, int]) -> Relationships:
        """Lay the relationships out; each product is in 20 baskets."""
        given = sorted((row[i], RELATIONS.index(relation), -n, row[j]) for i, relation, j, n in self.relationships)
        n = len(given)
        is_needed = np.array([relation == ACCESSORY for _, relation, _, _ in given], dtype=np.bool_)
        source, relation, together, target = np.array(given, dtype=np.int64).reshape(n, 4).T
        counts = {"together": -together, "buyers": -together, "n_source": np.full(n, 20), "n_target": np.full(n, 20)}
        unknown = np.full(n, np.nan, dtype=np.float32)
        return replace(
            Relationships.empty({PRODUCTS: len(row)}),
            starts=np.searchsorted(source, np.arange(len(row) + 1)).astype(np.int64),
            target=target.astype(np.int32),
            relation=relation.astype(np.int8),
            basis=np.zeros(n, dtype=np.int8),
            evidence=np.zeros(n, dtype=np.int8),
            strength=(-together / 20 - 0.2).astype(np.float32),
            **{name: count.astype(np.int32) for name, count in counts.items()},
            n_total=np.full(n, 100, dtype=np.int32),
            is_needed=is_needed,
            confidence=(-together / 20).astype(np.float32),
            lift=(-together / 4).astype(np.float32),
            cosine=(-together / 20).astype(np.float32),
            llr=(-together).astype(np.float32),
            value_growth=unknown,
            days=np.full((n, 3), np.nan, dtype=np.float32),
            n_days=np.zeros(n, dtype=np.int32),
            price_step_minor=np.full(n, NO_NUMBER, dtype=np.int64),
        )

    def scores(self, account_id: str) -> dict[str, float]:
        """Scores of the products that the account does not own, best first, ties in hash order."""
        ids = in_hash_order(p.product_id for p in self.products)
        sums = {j: sum(self.contributions(account_id, j).values()) for j in ids if j not in self.owned[account_id]}
        return dict(sorted(((j, s) for j, s in sums.items() if s > 0), key=lambda pair: -pair[1]))


def content_of(world: World) -> Content:
    """Lay a world out as an artifact's arrays."""
    ids = in_hash_order(p.product_id for p in world.products)
    row = {product_id: i for i, product_id in enumerate(ids)}
    accounts = in_hash_order(world.owned)
    by_id = {p.product_id: p for p in world.products}
    specs = [by_id[product_id] for product_id in ids]
    neighbours = [_ranked(world.neighbours.get(i, {}), row) for i in ids]
    candidates = [list(world.scores(a).items())[: world.n_candidates] for a in accounts]
    owned = [sorted(row[i] for i in world.owned[a]) for a in accounts]
    reasons = np.full((len(accounts), N_REASONED, 2), NO_ROW, dtype=np.int32)
    for a, account_id in enumerate(accounts):
        for place, (product_id, _) in enumerate(candidates[a][:N_REASONED]):
            best = list(world.contributions(account_id, product_id))[:2]
            reasons[a, place, : len(best)] = [row[i] for i in best]
    popular = [*world.popular, *(i for i in ids if i not in world.popular)]
    sizes = {ACCOUNTS: len(accounts), PRODUCTS: len(ids), CANDIDATES: world.n_candidates}
    return replace(
        Content.empty(sizes, report=json.dumps({"metrics": {"recall_at_10": 0.25}, "currency": IN_EUROS}).encode()),
        account_ids=IdIndex.from_ids(accounts),
        products=_products(specs),
        popular_products=np.array([row[i] for i in popular], dtype=np.int32),
        popular_scores=np.arange(len(popular), 0, -1).astype(np.float32),
        owned_offsets=np.cumsum([0, *map(len, owned)]).astype(np.int64),
        owned_products=np.array([i for rows in owned for i in rows], dtype=np.int32),
        owned_scores=np.array(_of_owned(world.repeat_chances, 1, accounts, owned, ids), dtype=np.float32),
        candidate_products=_padded([[row[i] for i, _ in ranked] for ranked in candidates], NO_ROW, world.n_candidates),
        candidate_scores=_padded([[s for _, s in ranked] for ranked in candidates], 0, world.n_candidates).astype(
            np.float32
        ),
        candidate_reasons=reasons,
        neighbour_products=_padded([[i for i, _ in ranked] for ranked in neighbours], NO_ROW),
        neighbour_scores=_padded([[s for _, s in ranked] for ranked in neighbours], 0).astype(np.float32),
        relationships=world.relationships_of(row),
        evidence=_evidence(world, row),
        propensities=_propensities(world, ids, [[i for i, _ in ranked] for ranked in candidates], accounts, sizes),
        repurchases=_repurchases(world, ids, accounts, owned),
    )


def _of_owned(
    given: Mapping[str, Mapping[str, float]],
    default: float,
    accounts: Sequence[str],
    owned: Sequence[Sequence[int]],
    ids: Sequence[str],
) -> list[float]:
    """Return a number for each account and product that it owns."""
    pairs = ((a, ids[i]) for a, rows in zip(accounts, owned, strict=True) for i in rows)
    return [given.get(account_id, {}).get(product_id, default) for account_id, product_id in pairs]


def _repurchases(
    world: World, ids: Sequence[str], accounts: Sequence[str], owned: Sequence[Sequence[int]]
) -> Repurchases:
    intervals = np.array([world.intervals.get(i, np.nan) for i in ids], dtype=np.float32)
    return Repurchases(
        last_days=np.array(_of_owned(world.last_days, NO_DAY, accounts, owned, ids), dtype=np.int32),
        interval_days=intervals,
        interval_bases=np.isfinite(intervals).astype(np.uint8),
        rates=np.array([world.repeat_rates.get(i, np.nan) for i in ids], dtype=np.float32),
    )


def write_world(
    root: Path,
    world: World,
    *,
    as_of: str = "2024-02-29T12:00:00Z",
    is_approved: bool = True,
    seed: int = 1,
    sequence: int | None = None,
    content: Content | None = None,
) -> str:
    """Write a world's artifact under ``root`` and return its version. content: in place of the world's own."""

    def describe(files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            as_of=as_of,
            data_fingerprint="0" * 64,
            counts={"accounts": len(world.owned), "products": len(world.products)},
            parameters={"seed": seed},
            metrics=dict(world.metrics),
            verdict=Verdict(is_approved, "Better than popularity." if is_approved else "Worse than popularity."),
            library_versions={"numpy": np.__version__},
            files=files,
            sequence=sequence,
            reporting_currency="EUR",
        )

    return write_artifact(root, content or content_of(world), describe).name


def _evidence(world: World, row: Mapping[str, int]) -> Evidence:
    """Ten orders of nine customers, and eight accounts, behind each pair of neighbours; 100, 99, ... popular buyers."""
    pairs = sorted({(min(row[i], row[j]), max(row[i], row[j])) for i, by in world.neighbours.items() for j in by})
    low, high = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    n_buyers = np.zeros(len(row), dtype=np.int32)
    for place, product_id in enumerate(world.popular[:90]):
        n_buyers[row[product_id]] = 100 - place
    return Evidence(
        starts=np.searchsorted(low, np.arange(len(row) + 1)).astype(np.int64),
        other=high.copy(),
        orders=np.full(len(pairs), 10, dtype=np.int32),
        buyers=np.full(len(pairs), 9, dtype=np.int32),
        owners=np.full(len(pairs), 8, dtype=np.int32),
        n_buyers=n_buyers,
    )


def _propensities(
    world: World,
    ids: Sequence[str],
    candidates: Sequence[Sequence[str]],
    accounts: Sequence[str],
    sizes: Mapping[Dimension, int],
) -> Propensities:
    """Rates are the same in every segment."""
    empty = Propensities.empty(sizes)
    if not world.rates:
        return empty
    for place, account_id in enumerate(accounts):
        chances = world.chances.get(account_id, {})
        empty.candidates[place, : len(candidates[place])] = [chances.get(i, world.rates[i]) for i in candidates[place]]
    rates = np.array([world.rates[i] for i in ids], dtype=np.float32)
    return replace(empty, rates=rates, factors=np.ones_like(empty.factors))


def _ranked(scores: Mapping[str, float], row: Mapping[str, int]) -> list[tuple[int, float]]:
    return sorted(((row[i], s) for i, s in scores.items()), key=lambda pair: (-pair[1], pair[0]))


def _padded(lists: Sequence[Sequence[float]], fill: float, width: int = 0) -> NDArray[np.int32]:
    width = width or max([1, *map(len, lists)])
    out = np.full((len(lists), width), fill, dtype=np.int32 if fill == NO_ROW else np.float64)
    for i, values in enumerate(lists):
        out[i, : len(values)] = values
    return out


def _products(specs: Sequence[ProductSpec]) -> Products:
    def numbers(values: Sequence[int | None]) -> NDArray[np.int64]:
        return np.array([NO_NUMBER if value is None else value for value in values], dtype=np.int64)

    return Products(
        ids=IdIndex.from_ids([p.product_id for p in specs]),
        names=TextColumn.from_texts(p.name or p.product_id.title() for p in specs),
        lines=TextColumn.from_texts(p.line for p in specs),
        categories=TextColumn.from_texts(p.category for p in specs),
        families=TextColumn.from_texts(p.family for p in specs),
        currencies=TextColumn.from_texts(p.currency for p in specs),
        tiers=numbers([p.tier for p in specs]),
        prices_minor=numbers([p.price_minor for p in specs]),
        margins_minor=numbers([p.margin_minor for p in specs]),
        is_active=np.array([p.is_active for p in specs], dtype=np.bool_),
        is_merchandise=np.array([p.is_merchandise for p in specs], dtype=np.bool_),
        parents=TextColumn.from_texts(p.parent_product_id for p in specs),
        replaced=TextColumn.from_texts(p.replaces for p in specs),
    )


def coffee_world() -> World:
    """Three accounts and ten products of a coffee shop; ``retired`` is no longer sold."""
    return World(
        products=[
            ProductSpec("beans", "Coffee beans", price_minor=1299, currency="EUR"),
            ProductSpec("grinder", "Hand grinder", "grinders", 1, 4900, "EUR"),
            ProductSpec("grinder-pro", "Electric grinder", "grinders", 2, 19900, "EUR"),
            ProductSpec("filter", "Paper filters", price_minor=350, currency="EUR"),
            ProductSpec("kettle", "Kettle", price_minor=5900, currency="EUR"),
            ProductSpec("scale", "Scale", price_minor=2900, currency="EUR"),
            ProductSpec("mug", "Mug"),
            ProductSpec("milk", "Oat milk", price_minor=199, currency="EUR"),
            ProductSpec("retired", "Old machine", is_active=False),
            ProductSpec("syrup", "Syrup"),
        ],
        owned={"ann": ["beans", "grinder"], "bob": ["kettle"], "cid": [], "dee": ["beans", "filter", "kettle", "mug"]},
        neighbours={
            "beans": {"filter": 0.9, "grinder": 0.8, "milk": 0.5, "retired": 0.45, "mug": 0.25},
            "grinder": {"grinder-pro": 0.75, "scale": 0.5, "filter": 0.25, "beans": 0.125},
            "kettle": {"filter": 0.5, "scale": 0.375, "mug": 0.125},
            "filter": {"beans": 0.75, "kettle": 0.5, "scale": 0.25},
            "mug": {"milk": 0.5, "syrup": 0.25},
        },
        popular=["milk", "beans", "retired", "filter", "mug", "kettle"],
    )
