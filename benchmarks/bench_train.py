"""The whole of `nextoffer train`, beside one ALS fit of the implicit library with the same factors and iterations."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from benchmarks.data import SYNTHETIC_SIZES, demo_lines, synthetic_lines
from benchmarks.measure import peak_memory_mib, show, time_in_turn
from models.data.interactions import owned_matrix
from models.ranking.settings import RankingParameters
from models.train import TrainingOptions, train
from service.training.file_history import HistoryFiles, history_from_files

GOWALLA = Path(__file__).parent.parent.parent / "shared" / "data" / "gowalla_train_valid.parquet"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = {"demo": demo_lines(root / "demo.parquet")}
        if GOWALLA.exists():
            files["Gowalla, one date"] = gowalla_lines(root / "gowalla.parquet")
        for size in SYNTHETIC_SIZES:
            files[f"synthetic {size[0]:,} accounts"] = synthetic_lines(root / f"{size[0]}.parquet", *size)
        rows = [_measure(name, path, root) for name, path in files.items()]
    show("Training: load, fits on four windows, evaluation, lists, probabilities, artifact", "one implicit fit", rows)


def gowalla_lines(target: Path) -> Path:
    """Write the Gowalla pairs as order lines of one date."""
    pairs = pq.read_table(GOWALLA)
    table = {
        "account_id": pairs["user_id"],
        "order_id": pa.array(range(pairs.num_rows)),
        "product_id": pairs["item_id"],
    }
    pq.write_table(pa.table(table | {"ordered_at": pa.repeat("2010-10-01", pairs.num_rows)}), target)
    return target


def train_file(path: Path, root: Path) -> None:
    """Everything that the command does after it has parsed its options; run in a process of its own."""
    train(history_from_files(HistoryFiles([path])), TrainingOptions(), root / "artifacts", None, lambda _: None)


def _measure(name: str, path: Path, root: Path) -> tuple[str, list[float], list[float], str]:
    owned = owned_matrix(history_from_files(HistoryFiles([path])).interactions)
    peaks: list[float] = []
    seconds = time_in_turn(
        3 if owned.nnz < 1_000_000 else 1,
        ours=lambda: peaks.append(peak_memory_mib(train_file, path, root)),
        floor=lambda: fit_once(owned),
    )
    note = f"{owned.shape[0]:,} x {owned.shape[1]:,}, {owned.nnz:,} pairs, peak {max(peaks):,.0f} MiB"
    return name, seconds["ours"], seconds["floor"], note


def fit_once(owned: csr_matrix) -> None:
    """One fit as a user of the library would call it, BLAS on one thread as its own warning advises."""
    parameters = RankingParameters()
    confidence = csr_matrix((np.full(owned.nnz, 2, dtype=np.float32), owned.indices, owned.indptr), owned.shape)
    with threadpool_limits(1, user_api="blas"):
        AlternatingLeastSquares(
            factors=parameters.embedding_size,
            regularization=parameters.regularization,
            iterations=parameters.iterations,
            random_state=0,
        ).fit(confidence, show_progress=False)
