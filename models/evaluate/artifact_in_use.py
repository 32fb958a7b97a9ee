"""Comparison with the artifact in use: measured on the same period where that is fair, else by its own report."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Artifact
from models.data.interactions import Interactions
from models.data.split import Split, format_local
from models.ranking.baskets import Neighbours

NAME_IN_USE = "live"
"""What the artifact in use is called in reports."""
UNLISTED = np.float32(-1e6)
"""Added to the score of a product that is no candidate, to rank below those that are."""


@dataclass(frozen=True)
class ArtifactScorer:
    """Ranks by the order of an artifact's lists; beyond them, and for accounts unknown to it, by its popularity.

    lists:      int32 (n_accounts, C), candidates in today's product rows, NO_ROW for products that are gone.
    popularity: float32 (n_products,).
    """

    lists: NDArray[np.int32]
    popularity: NDArray[np.float32]
    name: str = NAME_IN_USE

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        lists = self.lists[rows]
        scores = np.tile(self.popularity + UNLISTED, (len(rows), 1))
        account, place = np.nonzero(lists != NO_ROW)
        scores[account, lists[account, place]] = -place
        return scores


def scorer_of(artifact: Artifact, interactions: Interactions) -> ArtifactScorer:
    """Translate an artifact's rows to those of the interactions."""
    content = artifact.content
    product = translate(list(content.products.ids.texts), interactions.product_ids)
    artifact_row = translate(list(interactions.account_ids), np.array(list(content.account_ids.texts), dtype=object))
    known = artifact_row != NO_ROW
    lists = np.full((interactions.n_accounts, content.candidate_products.shape[1]), NO_ROW, dtype=np.int32)
    listed = content.candidate_products[artifact_row[known]]
    lists[known] = np.where(listed == NO_ROW, NO_ROW, product[listed])
    popularity = np.zeros(interactions.n_products, dtype=np.float32)
    rows = product[content.popular_products]
    popularity[rows[rows != NO_ROW]] = content.popular_scores[rows != NO_ROW] / max(content.popular_scores.max(), 1)
    return ArtifactScorer(lists, popularity)


def is_measurable(artifact: Artifact, split: Split) -> bool:
    """Whether an artifact has not seen the held-out period."""
    return artifact.manifest.as_of <= format_local(split.holdout_start, split.zone)


def neighbours_of(artifact: Artifact, interactions: Interactions) -> Neighbours:
    """Translate an artifact's neighbours to the product rows of the interactions."""
    content = artifact.content
    product = translate(list(content.products.ids.texts), interactions.product_ids)
    shape = (interactions.n_products, content.neighbour_products.shape[1])
    products, scores = np.full(shape, NO_ROW, dtype=np.int32), np.zeros(shape, dtype=np.float32)
    known = product != NO_ROW
    listed = content.neighbour_products[known]
    translated = np.where(listed == NO_ROW, NO_ROW, product[listed])
    products[product[known]] = translated
    scores[product[known]] = np.where(translated == NO_ROW, 0, content.neighbour_scores[known])
    return Neighbours(products, scores)


def recorded_floor(artifact: Artifact, metric: str, target: str = "new", model: str | None = None) -> float | None:
    """Return the lower bound of a metric by an artifact's own report. model: by default that of its lists."""
    try:
        report = json.loads(artifact.content.report)
        recorded = report["metrics"][target][model or report.get("served", "blend")][metric]
        return float(recorded["low"])
    except (KeyError, TypeError, ValueError):
        return None


def translate(texts: list[str], wanted: NDArray[np.object_]) -> NDArray[np.int32]:
    """Return for each text its position in ``wanted``, NO_ROW where it is absent."""
    position = {text: row for row, text in enumerate(wanted)}
    return np.array([position.get(text, NO_ROW) for text in texts], dtype=np.int32)
