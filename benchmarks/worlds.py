"""Artifacts of any size, written without training, to show how serving grows."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.artifact import (
    NO_NUMBER,
    Content,
    FileEntry,
    IdIndex,
    Manifest,
    Products,
    Repurchases,
    TextColumn,
    Verdict,
    in_hash_order,
    write_artifact,
)
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, OWNED, PRODUCTS
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore

N_PRODUCTS = 20_000
N_CANDIDATES = 100
N_EXPLAINED = 20
N_NEIGHBOURS = 100
N_OWNED = 20
N_LINES = 30
N_CATEGORIES = 198
"""A multiple of six, as the number of lines is, so that tastes are groups of both."""


def write_world(root: Path, n_accounts: int, seed: int = 1) -> str:
    """Write and activate an artifact of random lists, shaped as training writes them; return its version."""
    return write_content(root, world(n_accounts, np.random.default_rng(seed)), "2024-01-01T00:00:00Z")


def write_content(root: Path, content: Content, as_of: str) -> str:
    """Write and activate an artifact; return its version."""

    def describe(files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            as_of=as_of,
            data_fingerprint="0" * 64,
            counts={"accounts": len(content.account_ids), "products": N_PRODUCTS},
            parameters={},
            metrics={},
            verdict=Verdict(is_approved=True, reason="Made for a benchmark."),
            library_versions={},
            files=files,
            sequence=0,
        )

    version = write_artifact(root, content, describe).name
    ArtifactStore(root, smoke_test).activate(version)
    return version


def world(n_accounts: int, rng: np.random.Generator) -> Content:
    shape = (n_accounts, N_CANDIDATES)
    scores = np.broadcast_to(np.linspace(1, 0.1, N_CANDIDATES, dtype=np.float32), shape)
    owned = np.sort(rng.integers(0, N_PRODUCTS, (n_accounts, N_OWNED), dtype=np.int32), axis=1)
    return replace(
        Content.empty({ACCOUNTS: n_accounts, PRODUCTS: N_PRODUCTS, CANDIDATES: N_CANDIDATES}, report=b"{}"),
        account_ids=IdIndex.from_ids(account_names(n_accounts)),
        products=_products(),
        popular_products=rng.permutation(N_PRODUCTS).astype(np.int32),
        popular_scores=np.arange(N_PRODUCTS, 0, -1, dtype=np.float32),
        owned_offsets=np.arange(0, n_accounts * N_OWNED + 1, N_OWNED, dtype=np.int64),
        owned_products=owned.ravel(),
        owned_scores=np.ones(owned.size, dtype=np.float32),
        repurchases=Repurchases.empty({OWNED: owned.size, PRODUCTS: N_PRODUCTS}),
        candidate_products=rng.integers(0, N_PRODUCTS, shape, dtype=np.int32),
        candidate_scores=np.ascontiguousarray(scores),
        candidate_reasons=np.ascontiguousarray(np.broadcast_to(owned[:, None, :2], (n_accounts, N_EXPLAINED, 2))),
        neighbour_products=rng.integers(0, N_PRODUCTS, (N_PRODUCTS, N_NEIGHBOURS), dtype=np.int32),
        neighbour_scores=np.sort(rng.random((N_PRODUCTS, N_NEIGHBOURS), dtype=np.float32), axis=1)[:, ::-1].copy(),
    )


def account_names(n_accounts: int) -> list[str]:
    """Identifiers, in the order of an artifact."""
    return in_hash_order(f"account-{number}" for number in range(n_accounts))


def grouped_products() -> Products:
    """The same products in lines and categories assigned in turn, with a margin of a quarter of the price."""
    products = _products()
    return replace(
        products,
        lines=TextColumn.from_texts(f"Line {row % N_LINES}" for row in range(N_PRODUCTS)),
        categories=TextColumn.from_texts(f"Category {row % N_CATEGORIES}" for row in range(N_PRODUCTS)),
        margins_minor=products.prices_minor // 4,
    )


def _products() -> Products:
    names = in_hash_order(f"product-{number}" for number in range(N_PRODUCTS))
    blank = TextColumn.from_texts("" for _ in names)
    unknown = np.full(N_PRODUCTS, NO_NUMBER, dtype=np.int64)
    return Products(
        ids=IdIndex.from_ids(names),
        names=TextColumn.from_texts(name.title() for name in names),
        lines=blank,
        categories=blank,
        families=blank,
        currencies=blank,
        tiers=unknown,
        prices_minor=np.arange(100, N_PRODUCTS + 100, dtype=np.int64),
        margins_minor=unknown,
        is_active=np.ones(N_PRODUCTS, dtype=np.bool_),
        is_merchandise=np.ones(N_PRODUCTS, dtype=np.bool_),
        parents=blank,
        replaced=blank,
    )
