"""The live artifact in an evaluation: measured again where that is fair, and by its own record where it is not."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Artifact
from models.data.interactions import Interactions

UNLISTED = np.float32(-1e6)


@dataclass(frozen=True)
class LiveScorer:
    """Scores by the live artifact's candidate lists, and by its popularity beyond them and for accounts new to it.

    lists:      int32 (n_accounts, C), candidates in today's product rows, NO_ROW where there is none any more.
    scores:     float32 (n_accounts, C).
    popularity: float32 (n_products,).
    """

    lists: NDArray[np.int32]
    scores: NDArray[np.float32]
    popularity: NDArray[np.float32]
    name: str = "live"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores = np.tile(self.popularity + UNLISTED, (len(rows), 1))
        line, place = np.nonzero(self.lists[rows] != NO_ROW)
        scores[line, self.lists[rows][line, place]] = self.scores[rows][line, place]
        return scores


def live_scorer(artifact: Artifact, interactions: Interactions) -> LiveScorer:
    """Translate the live artifact's rows to those of the interactions."""
    content = artifact.content
    product = translate(list(content.products.ids.texts), interactions.product_ids)
    to_live = translate(list(interactions.account_ids), np.array(list(content.account_ids.texts), dtype=object))
    known = to_live != NO_ROW
    lists = np.full((interactions.n_accounts, content.candidate_products.shape[1]), NO_ROW, dtype=np.int32)
    listed = content.candidate_products[to_live[known]]
    lists[known] = np.where(listed == NO_ROW, NO_ROW, product[listed])
    scores = np.zeros(lists.shape, dtype=np.float32)
    scores[known] = content.candidate_scores[to_live[known]]
    popularity = np.zeros(interactions.n_products, dtype=np.float32)
    rows = product[content.popular_products]
    popularity[rows[rows != NO_ROW]] = content.popular_scores[rows != NO_ROW] / max(content.popular_scores.max(), 1)
    return LiveScorer(lists, scores, popularity)


def recorded_floor(artifact: Artifact, metric: str) -> float | None:
    """Return the low end of the live blend's interval for a metric on new products, by its own report."""
    try:
        recorded = json.loads(artifact.content.report)["metrics"]["new"]["blend"][metric]
        return float(recorded["low"])
    except (KeyError, TypeError, ValueError):
        return None


def translate(texts: list[str], wanted: NDArray[np.object_]) -> NDArray[np.int32]:
    """Return for each text its position in ``wanted``, NO_ROW where it is absent."""
    position = {text: row for row, text in enumerate(wanted)}
    return np.array([position.get(text, NO_ROW) for text in texts], dtype=np.int32)
