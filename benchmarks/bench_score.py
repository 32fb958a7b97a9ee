"""Scoring every account, beside the bare matrix product and partial sort in numpy for the same matrix."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.data import SYNTHETIC_SIZES, demo_lines, synthetic_lines
from benchmarks.measure import show, time_in_turn
from models.artifact import open_artifact
from models.train import TrainingOptions, train
from service.base.arbitration_options import DEFAULT_OPTIONS
from service.readmodel.live_state import LiveState
from service.server.score_file import write_scores
from service.training.file_history import HistoryFiles, history_from_files

RUNS = 3
LIMIT = 20
ROWS_PER_BATCH = 256


def bare_product(accounts: int, products: int, factors: int) -> None:
    """What no scorer by factors can do without: the product of the factors and the partial sort of its rows."""
    rng = np.random.default_rng(0)
    left = rng.random((accounts, factors), dtype=np.float32)
    right = np.ascontiguousarray(rng.random((products, factors), dtype=np.float32).T)
    for begin in range(0, accounts, ROWS_PER_BATCH):
        scores = left[begin : begin + ROWS_PER_BATCH] @ right
        np.argpartition(scores, -LIMIT, axis=1)[:, -LIMIT:]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = {"demo": demo_lines(root / "demo.parquet")}
        for size in SYNTHETIC_SIZES:
            files[f"synthetic {size[0]:,} accounts"] = synthetic_lines(root / f"{size[0]}.parquet", *size)
        rows = [_measure(name, path, root) for name, path in files.items()]
        show(f"Scoring: {LIMIT} products for every account, Parquet written", "numpy product + partial sort", rows)


def _measure(name: str, path: Path, root: Path) -> tuple[str, list[float], list[float], str]:
    history = history_from_files(HistoryFiles([path]))
    trained = train(history, TrainingOptions(), root / name, None, lambda *_: None)
    state = LiveState(open_artifact(trained.folder).content, 0)
    accounts, products = history.interactions.n_accounts, history.interactions.n_products
    factors = trained.manifest.parameters["embedding_size"]
    seconds = time_in_turn(
        RUNS,
        ours=lambda: write_scores(
            state,
            root / "scores.parquet",
            LIMIT,
            DEFAULT_OPTIONS,
            includes_owned=False,
            progress=lambda _: None,
        ),
        floor=lambda: bare_product(accounts, products, factors),
    )
    note = f"{accounts:,} x {products:,}, {factors} factors"
    return name, seconds["ours"], seconds["floor"], note
