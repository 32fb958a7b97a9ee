"""Cluster accounts by what they buy, and name each cluster by its distinctive groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from models.artifact import Groups
from models.artifact.customers import NOT_SEGMENTED
from models.artifact.groups import NO_GROUP
from models.data.interactions import Interactions

MIN_LINES = 5
"""An account with fewer order lines does not shape the clusters; it joins the nearest."""
MIN_ACCOUNTS = 50
MIN_SHARE = 0.02
"""Minimum share of the accounts in each cluster: smaller ones are outliers."""
SIZES = range(3, 9)
DIRECTIONS = 10
"""Principal components along which accounts are compared; further ones are noise."""
MAX_FITTED = 20_000
MAX_COMPARED = 2_000
TRAITS = 5
NAMED_BY = 2
ACCOUNTS_PER_BATCH = 65_536


@dataclass(frozen=True)
class Trait:
    """A group that a cluster's accounts buy more of than others: its share of their order lines, and of all."""

    group: str
    share: float
    share_of_all: float


@dataclass(frozen=True)
class Clusters:
    """code: int16 (A,), NOT_SEGMENTED without purchases in any group. traits: of each cluster, the clearest first.

    silhouette: mean over a sample of accounts, -1 to 1 (Rousseeuw, 1987); None without clusters.
    """

    code: NDArray[np.int16]
    traits: tuple[tuple[Trait, ...], ...]
    silhouette: float | None

    @property
    def names(self) -> tuple[str, ...]:
        """Display names."""
        return tuple(" and ".join(trait.group for trait in traits[:NAMED_BY]) for traits in self.traits)


def cluster_accounts(interactions: Interactions, groups: Sequence[Groups], seed: int) -> Clusters:
    """Cluster accounts by the shares of their order lines that are in each group.

    groups: the first that has at least three is taken, so the finest comes first.
    Square roots of the shares are compared, so that distances are Hellinger's and staples do not drown the rest.
    k-means; as many clusters as separate best by silhouette. None where fewer than 50 accounts have five order lines.
    """
    of_products = next((candidate for candidate in groups if len(candidate) >= min(SIZES)), None)
    if of_products is None:
        return _no_clusters(interactions.n_accounts)
    counts = _count_lines(interactions, of_products)
    lines = np.asarray(counts.sum(axis=1)).ravel()
    telling = np.flatnonzero(lines >= MIN_LINES)
    if len(telling) < MIN_ACCOUNTS:
        return _no_clusters(interactions.n_accounts)
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(telling, min(len(telling), MAX_FITTED), replace=False))
    with threadpool_limits(1):
        fitted, silhouette = _fit(_profiles(counts, sample), seed)
        if fitted is None:
            return _no_clusters(interactions.n_accounts)
        code = np.full(interactions.n_accounts, NOT_SEGMENTED, dtype=np.int16)
        placed = np.flatnonzero(lines > 0)
        for begin in range(0, len(placed), ACCOUNTS_PER_BATCH):
            rows = placed[begin : begin + ACCOUNTS_PER_BATCH]
            code[rows] = fitted.predict(_profiles(counts, rows))
    code = _largest_first(code)
    return Clusters(code, _traits(counts, code, list(of_products.names)), silhouette)


def _no_clusters(n_accounts: int) -> Clusters:
    return Clusters(np.full(n_accounts, NOT_SEGMENTED, dtype=np.int16), (), None)


def _count_lines(interactions: Interactions, groups: Groups) -> csr_matrix:
    """Float64 (n_accounts, n_groups): lines in which something of the group was bought."""
    group = groups.of_product[interactions.product]
    which = interactions.is_known & (interactions.quantity > 0) & (group != NO_GROUP)
    coordinates = (interactions.account[which], group[which])
    return csr_matrix((np.ones(which.sum()), coordinates), shape=(interactions.n_accounts, len(groups)))


def _profiles(counts: csr_matrix, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Float32 (len(rows), n_groups), square roots of shares: each of length 1."""
    dense = counts[rows].toarray().astype(np.float32)
    dense /= dense.sum(axis=1, keepdims=True)
    profiles: NDArray[np.float32] = np.sqrt(dense)
    return profiles


def _fit(profiles: NDArray[np.float32], seed: int) -> tuple[Pipeline | None, float | None]:
    """Return the fitted pipeline, and the silhouette of a sample; None where there are no separate clusters."""
    if len(np.unique(profiles[:MAX_COMPARED], axis=0)) <= min(SIZES):
        return None, None
    directions = PCA(min(DIRECTIONS, profiles.shape[1]), random_state=seed).fit(profiles)
    placed = directions.transform(profiles)
    compared = np.random.default_rng(seed).permutation(len(placed))[:MAX_COMPARED]
    best, best_score = None, None
    for size in SIZES:
        fitted = KMeans(size, n_init=4, random_state=seed).fit(placed)
        shares = np.bincount(fitted.labels_, minlength=size) / len(placed)
        if shares.min() < MIN_SHARE or len(np.unique(fitted.labels_[compared])) < size:
            continue
        score = float(silhouette_score(placed[compared], fitted.labels_[compared]))
        if best_score is None or score > best_score:
            best, best_score = make_pipeline(directions, fitted), score
    return best, best_score


def _largest_first(code: NDArray[np.int16]) -> NDArray[np.int16]:
    sizes = np.bincount(code[code != NOT_SEGMENTED])
    n = len(sizes)
    rank = np.empty(n + 1, dtype=np.int16)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(n)
    rank[NOT_SEGMENTED] = NOT_SEGMENTED
    return rank[code]


def _traits(counts: csr_matrix, code: NDArray[np.int16], names: list[str]) -> tuple[tuple[Trait, ...], ...]:
    """What adds most to the divergence of a cluster's shares from those of all (Kullback and Leibler, 1951)."""
    n = int(code.max()) + 1
    is_in = code != NOT_SEGMENTED
    members = csr_matrix((np.ones(is_in.sum()), (code[is_in], np.flatnonzero(is_in))), shape=(n, len(code)))
    lines = np.asarray((members @ counts).todense())
    share, of_all = lines / lines.sum(axis=1, keepdims=True), lines.sum(axis=0) / lines.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(share > 0, share * np.log(share / of_all), 0.0)
    clearest = np.argsort(-divergence, axis=1, kind="stable")[:, :TRAITS]
    return tuple(
        tuple(
            Trait(names[group], round(float(share[row, group]), 6), round(float(of_all[group]), 6))
            for group in groups
            if divergence[row, group] > 0
        )
        for row, groups in enumerate(clearest.tolist())
    )
