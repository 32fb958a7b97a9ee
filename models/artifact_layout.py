"""The manifest of an artifact, and the arrays that serving reads."""

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import distinct_keys
from models.artifact import CellTotals, Content, FileEntry, IdIndex, Manifest, Products, Propensities
from models.artifact.segments import read_segment_report
from models.customers.accounts import LearnedAccounts
from models.customers.whitespace import count_all_cells
from models.data.history import History
from models.data.interactions import Interactions
from models.data.split import Split, format_local
from models.final_models import FinalModels
from models.report import Report

LIBRARIES = ("implicit", "lightgbm", "numpy", "scikit-learn", "scipy")


def describe_artifact(
    history: History,
    interactions: Interactions,
    split: Split,
    report: Report,
    files: dict[str, FileEntry],
    label: str = "",
) -> Manifest:
    """Make the manifest: the data that was learned from, the parameters and the verdict."""
    return Manifest(
        as_of=format_local(split.as_of, split.zone),
        data_fingerprint=history.fingerprint,
        # A history that was cut lacks some of these changes: the service then replays all of them.
        reporting_currency=report.currency.get("reporting"),
        sequence=history.sequence if len(interactions.time) == len(history.interactions.time) else None,
        counts={
            "accounts": interactions.n_accounts,
            "products": interactions.n_products,
            "orders": len(distinct_keys(interactions.order.astype(np.int64))),
            "order_lines": interactions.n_lines,
        },
        parameters=report.parameters,
        metrics=report.headline(),
        verdict=report.verdict,
        library_versions={name: version(name) for name in LIBRARIES},
        files=files,
        label=label,
        timezone=split.zone.name,
    )


def describe_currency(history: History, day: int) -> dict[str, Any]:
    """Describe the money of a history for the report.

    reporting: the currency of every figure, null where nothing names one. lines: order lines by their own currency, and
    those whose money is left out because no exchange rate was valid on their day. minor_factors: by currency, minor
    units of the reporting one for one minor unit of it on the artifact's day, empty for prices that name none.
    """
    return {
        "reporting": history.exchange.reporting or None,
        "lines": [
            {"currency": each.currency or None, "lines": each.lines, "unconverted_lines": each.unconverted}
            for each in history.currency_lines
        ],
        "minor_factors": history.exchange.factors_on(day, history.products.currencies),
    }


def lay_out(
    interactions: Interactions,
    products: Products,
    final: FinalModels,
    accounts: LearnedAccounts,
    propensities: Propensities,
    report: Report,
) -> Content:
    """Lay out the arrays that serving reads."""
    popularity, lists = final.popularity, final.lists
    popular = np.lexsort((np.arange(len(popularity)), -popularity)).astype(np.int32)
    content = Content(
        account_ids=_index(interactions.account_ids),
        products=products,
        popular_products=popular,
        popular_scores=popularity[popular],
        owned_offsets=final.owned.indptr.astype(np.int64),
        owned_products=final.owned.indices.astype(np.int32),
        owned_scores=lists.owned_scores,
        candidate_products=lists.products,
        candidate_scores=lists.scores,
        candidate_reasons=lists.reasons,
        neighbour_products=final.neighbours.products,
        neighbour_scores=final.neighbours.scores,
        basket_chances=final.basket_chances,
        relationships=final.relationships,
        evidence=final.evidence,
        propensities=propensities,
        repurchases=final.repurchases,
        line_cells=CellTotals.empty(),
        category_cells=CellTotals.empty(),
        **vars(accounts),
        report=report.to_json(),
    )
    as_of_day = read_segment_report(accounts.segments)["as_of_day"]
    horizon_days = report.propensity.get("horizon_days", 0.0)
    return replace(
        content,
        line_cells=count_all_cells(content.line_demand(as_of_day, horizon_days), accounts.segments),
        category_cells=count_all_cells(content.category_demand(as_of_day, horizon_days), accounts.segments),
    )


def _index(identifiers: NDArray[np.object_]) -> IdIndex:
    return IdIndex.from_ids(identifiers.tolist())
