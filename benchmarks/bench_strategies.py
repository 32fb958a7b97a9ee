"""What each strategy of arbitration offers, against what households bought later: The Complete Journey.

Run: python -m benchmarks strategies

An artifact is trained on the history until 90 days before its end; the lists are those of `nextoffer score`. Intervals
are 95 % bootstrap intervals over households. Margins are not known there: 30 % of the median price that was paid.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.sparse import csr_matrix

from benchmarks.data import demo_lines
from benchmarks.measure import console
from models.artifact import NO_ROW, Content, open_artifact
from models.data.interactions import Interactions, owned_matrix
from models.evaluate.intervals import Estimate, estimate_mean, estimate_ratio
from models.evaluate.ranking import discounts, ideal_gain, relevant_products
from models.train import TrainingOptions, train
from models.training_data import prepare_data
from service.base.arbitration_options import ArbitrationOptions, Strategy
from service.demo.dataset import prepare_files
from service.offers.scores import score_accounts
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.training.file_history import HistoryFiles, history_from_files

HORIZON_SECONDS = 90 * 86_400
CUT = 20
OFFERED = 3
SEED = 0


@dataclass(frozen=True)
class StrategyResult:
    """What one strategy came to; float64 (n,) each, of n households.

    ndcg, recall: of the first 20. bought, expected: how many of the first 3 were bought, and how many P says.
    value, expected_value: the margin of those, and P times margin. first_bought, first_expected: of the first alone.
    """

    ndcg: NDArray[np.float64]
    recall: NDArray[np.float64]
    bought: NDArray[np.float64]
    expected: NDArray[np.float64]
    value: NDArray[np.float64]
    expected_value: NDArray[np.float64]
    first_bought: NDArray[np.float64]
    first_expected: NDArray[np.float64]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = HistoryFiles([demo_lines(root / "lines.parquet")], products=prepare_files(root / "demo").products)
        later = train_before_the_end(files, root)
        accounts = later.accounts_with(later.new)
        options = ArbitrationOptions(is_up_sell_first=False)
        results = {
            str(strategy): measure_strategy(later.state, later.new, accounts, replace(options, strategy=strategy))
            for strategy in Strategy
        }
    show_results(results)


@dataclass(frozen=True)
class LaterPurchases:
    """What is learned until 90 days before the end of a history, and bought after that, in the artifact's rows.

    bought: bool (A, P), what each account bought. new: of that, what it did not own.
    as_of:  when the artifact's history ends.
    """

    state: LiveState
    bought: csr_matrix
    new: csr_matrix
    as_of: datetime

    def accounts_with(self, relevant: csr_matrix) -> list[str]:
        """Return the accounts that own something and have something relevant."""
        content = self.state.content
        has_any = np.flatnonzero((np.diff(relevant.indptr) > 0) & (np.diff(content.owned_offsets) > 0))
        return [content.account_ids.texts[row] for row in has_any.tolist()]


def train_before_the_end(files: HistoryFiles, root: Path) -> LaterPurchases:
    """Train without the last 90 days, and find what was bought then."""
    history = history_from_files(files)
    whole = prepare_data(history, TrainingOptions(), None)
    as_of = whole.split.as_of - HORIZON_SECONDS
    trained = train(history, TrainingOptions(as_of=as_of), root / "artifacts", None, lambda _: None)
    content = open_artifact(trained.folder).content
    learned = whole.goods.select(whole.goods.time < as_of)
    window = whole.goods.select(whole.goods.time >= as_of)
    bought, new = (
        in_artifact_rows(relevant_products(window, learned, owned), whole.goods, content)
        for owned in (None, owned_matrix(learned))
    )
    return LaterPurchases(LiveState(content, 0), bought, new, datetime.fromtimestamp(as_of, UTC))


def in_artifact_rows(relevant: csr_matrix, goods: Interactions, content: Content) -> csr_matrix:
    """Renumber accounts and products as the artifact does. What it does not know is left out."""
    ids = content.account_ids, content.products.ids
    account, product = (
        np.array([NO_ROW if (row := index.row_of(str(name))) is None else row for name in names])
        for index, names in zip(ids, (goods.account_ids, goods.product_ids), strict=True)
    )
    entries = relevant.tocoo()
    rows, columns = account[entries.row], product[entries.col]
    is_known = (rows != NO_ROW) & (columns != NO_ROW)
    shape = (len(ids[0]), len(ids[1]))
    return csr_matrix((np.ones(is_known.sum()), (rows[is_known], columns[is_known])), shape)


def measure_strategy(
    state: LiveState,
    relevant: csr_matrix,
    accounts: list[str],
    options: ArbitrationOptions,
    *,
    now: datetime | None = None,
    includes_owned: bool = False,
) -> StrategyResult:
    """List 20 products of each account and look which were bought. now, includes_owned: see ``score_accounts``."""
    n = len(accounts)
    hits, chance, worth = (np.zeros((n, CUT)) for _ in range(3))
    value = state.part(CatalogueView).values(options.margin_rate, options.max_value_ratio).value
    rows = np.array([state.content.account_ids.row_of(account_id) for account_id in accounts])
    for begin, lists in score_accounts(state, accounts, CUT, options, now=now, includes_owned=includes_owned):
        place, rank = begin + lists.account, lists.rank - 1
        hits[place, rank] = np.asarray(relevant[rows[place], lists.product]).ravel() > 0
        chance[place, rank] = np.nan_to_num(lists.propensity)
        worth[place, rank] = value[lists.product]
    n_relevant = np.diff(relevant[rows].indptr)
    first = slice(0, OFFERED)
    return StrategyResult(
        ndcg=hits @ discounts(CUT) / ideal_gain(n_relevant, CUT),
        recall=hits.sum(axis=1) / n_relevant,
        bought=hits[:, first].sum(axis=1),
        expected=chance[:, first].sum(axis=1),
        value=(hits * worth)[:, first].sum(axis=1),
        expected_value=(chance * worth)[:, first].sum(axis=1),
        first_bought=hits[:, 0],
        first_expected=chance[:, 0],
    )


def show_results(results: Mapping[str, StrategyResult]) -> None:
    """Print a column for each strategy."""
    n = len(next(iter(results.values())).ndcg)
    table = Table(title=f"Offers and what was bought in the next 90 days, n = {n:,} households", title_justify="left")
    table.add_column("measure")
    for strategy in results:
        table.add_column(strategy, justify="right")
    for name, heading in (
        ("ndcg", f"NDCG@{CUT}"),
        ("recall", f"Recall@{CUT}"),
        ("bought", f"bought of {OFFERED}"),
        ("value", f"margin of what was bought of {OFFERED}, minor units"),
        ("expected_value", f"the same as expected, of {OFFERED}"),
    ):
        table.add_row(heading, *(text_of(estimate_mean(getattr(result, name), SEED)) for result in results.values()))
    for above, below, heading in (
        ("first_bought", "first_expected", "observed over expected, first offer"),
        ("bought", "expected", f"observed over expected, {OFFERED} offers"),
        ("value", "expected_value", f"observed over expected margin, {OFFERED} offers"),
    ):
        ratios = [estimate_ratio(getattr(result, above), getattr(result, below), SEED) for result in results.values()]
        table.add_row(heading, *map(text_of, ratios))
    console.print(table)


def text_of(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
