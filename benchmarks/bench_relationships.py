"""Counting and judging every pair of products, beside the bare sparse product of the same baskets in scipy."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.data import demo_lines
from benchmarks.measure import peak_memory_mib, show, time_in_turn
from models.data.interactions import GUEST, Interactions
from models.products.measures import confidence, cosine, lift, log_likelihood_ratio, support
from models.products.pairs import Baskets, baskets_of, count_pairs
from models.products.parameters import RelationshipParameters
from models.products.relationships import gate, mine_relationships
from service.training.file_history import HistoryFiles, history_from_files

ROUNDS = 5
COPIES = (1, 3, 10)
MEASURES = (support, confidence, lift, cosine, log_likelihood_ratio)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = demo_lines(Path(folder) / "demo.parquet")
        rows = [_measure(path, copies) for copies in COPIES]
        mined = peak_memory_mib(mine, path, 1)
    show("Pairs of the demo's products: counted, valued, measured and gated", "A'A", rows)
    print(f"All relationships of the demo, whole process: peak {mined:,.0f} MiB")


def judge(baskets: Baskets) -> None:
    """Count every pair, both ways, with all measures, and find those that stand."""
    pairs = count_pairs(baskets)
    counts = pairs.counts()
    for measure in MEASURES:
        measure(counts)
    confidence(counts.swapped())
    gate(pairs, RelationshipParameters())


def bare_product(holds: csr_matrix) -> None:
    """Multiply as scipy does: the numbers of baskets with each pair, and nothing else."""
    ones = csr_matrix((np.ones(holds.nnz, dtype=np.int32), holds.indices, holds.indptr), shape=holds.shape)
    ones.T.tocsr() @ ones


def judge_file(path: Path, copies: int) -> None:
    """All of it in a process of its own."""
    judge(baskets_of(repeated(path, copies)))


def mine(path: Path, copies: int) -> None:
    """Mine every relationship in a process of its own."""
    history = history_from_files(HistoryFiles([path]))
    mine_relationships(repeated(path, copies), history.products)


def repeated(path: Path, copies: int) -> Interactions:
    """The demo's history several times over, each time by other accounts: as many times the baskets, the same pairs."""
    history = history_from_files(HistoryFiles([path])).interactions
    copy = np.repeat(np.arange(copies), history.n_lines)
    account = np.tile(history.account, copies)
    return replace(
        history,
        account=np.where(account == GUEST, GUEST, account + copy * history.n_accounts).astype(np.int32),
        order=(np.tile(history.order, copies) + copy * history.order_count).astype(np.int32),
        account_ids=np.arange(copies * history.n_accounts).astype(str).astype(object),
        order_count=copies * history.order_count,
        **{name: np.tile(getattr(history, name), copies) for name in ("product", "time", "quantity", "amount_minor")},
    )


def _measure(path: Path, copies: int) -> tuple[str, list[float], list[float], str]:
    baskets = baskets_of(repeated(path, copies))
    seconds = time_in_turn(ROUNDS, ours=lambda: judge(baskets), floor=lambda: bare_product(baskets.holds))
    peak = peak_memory_mib(judge_file, path, copies)
    name = f"{baskets.holds.shape[0]:,} baskets"
    return name, seconds["ours"], seconds["floor"], f"peak of the whole process {peak:,.0f} MiB"
