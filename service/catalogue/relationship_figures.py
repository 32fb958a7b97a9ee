"""What a relationship rests on, in figures."""

from typing import Any, Final

import numpy as np

from models.artifact import NO_NUMBER, Content
from models.artifact.relationships import BASES, EVIDENCE
from service.catalogue.schemas import DaysBetween
from service.readmodel.relationship_wording import CURATED_GROUNDS, grounds_of

_COUNTED: Final = (
    *("together", "buyers", "n_source", "n_target", "n_total", "support", "confidence", "lift", "cosine"),
    *("log_likelihood_ratio", "value_growth", "days_between"),
)


def figures_of_curated(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a relationship that was not learned. source, target: rows of the products table."""
    step, currency = _price_step(source, target)
    wording = {"basis": "product", "evidence": "people", "reason": _as_sentence(CURATED_GROUNDS)}
    return {**wording, **dict.fromkeys(_COUNTED), "price_step_minor": step, "currency": currency}


def figures_of_learned(content: Content, position: int) -> dict[str, Any]:
    """Return the figures of a learned relationship."""
    learned = content.relationships
    step = int(learned.price_step_minor[position])
    is_counted = bool(learned.n_total[position])
    return {
        "basis": BASES[learned.basis[position]],
        "evidence": EVIDENCE[learned.evidence[position]],
        "reason": _as_sentence(grounds_of(learned, position)),
        "together": int(learned.together[position]),
        "buyers": int(learned.buyers[position]),
        "n_source": int(learned.n_source[position]),
        "n_target": int(learned.n_target[position]),
        "n_total": int(learned.n_total[position]),
        "support": float(learned.together[position]) / int(learned.n_total[position]) if is_counted else None,
        "confidence": _known(learned.confidence[position]),
        "lift": _known(learned.lift[position]),
        "cosine": _known(learned.cosine[position]),
        "log_likelihood_ratio": _known(learned.llr[position]),
        "value_growth": _known(learned.value_growth[position]),
        "days_between": _days_between(content, position),
        "price_step_minor": None if step == NO_NUMBER else step,
        "currency": None if step == NO_NUMBER else content.currency.code,
    }


def _price_step(source: dict[str, Any], target: dict[str, Any]) -> tuple[int | None, str | None]:
    is_known = None not in (source["price_minor"], target["price_minor"]) and source["currency"] == target["currency"]
    return (target["price_minor"] - source["price_minor"], target["currency"]) if is_known else (None, None)


def _as_sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _known(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)


def _days_between(content: Content, position: int) -> DaysBetween | None:
    learned = content.relationships
    if not learned.n_days[position]:
        return None
    low, median, high = learned.days[position].tolist()
    return DaysBetween(first_quartile=low, median=median, third_quartile=high, n=int(learned.n_days[position]))
