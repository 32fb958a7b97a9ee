"""Compares two artifacts: how well they did, what they were learned from, and how far their offers agree."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from models.artifact import Artifact
from models.artifact.manifest import MANIFEST_NAME
from service.base.arbitration_options import DEFAULT_OPTIONS, ArbitrationOptions
from service.offers.scores import score_accounts
from service.readmodel.live_state import LiveState

N_COMPARED: Final = 10
"""Offers per account that are compared."""
DEFAULT_SAMPLE: Final = 1000
SIDES: Final = ("a", "b")

Numbers = dict[str, float]


def compare_artifacts(
    first: Artifact,
    second: Artifact,
    sample_size: int = DEFAULT_SAMPLE,
    options: ArbitrationOptions = DEFAULT_OPTIONS,
) -> dict[str, Any]:
    """Put two artifacts side by side; a difference is the second less the first."""
    both = (first, second)
    metrics = [dict(_numbers(artifact.manifest.metrics)) for artifact in both]
    counts = [dict(_numbers(artifact.manifest.counts)) for artifact in both]
    return {
        **{side: describe(artifact) for side, artifact in zip(SIDES, both, strict=True)},
        "metrics": side_by_side(*metrics),
        "counts": side_by_side(*counts),
        "parameters": changed(first.manifest.parameters, second.manifest.parameters),
        "agreement": agreement_of(first, second, sample_size, options),
    }


def describe(artifact: Artifact) -> dict[str, Any]:
    """Return what an artifact is: when, how large, and whether the gate approved it."""
    manifest = artifact.manifest
    written = (artifact.folder / MANIFEST_NAME).stat().st_mtime
    return {
        "version": manifest.version,
        "label": manifest.label,
        "as_of": manifest.as_of,
        "timezone": manifest.timezone,
        "written_at": datetime.fromtimestamp(written, UTC),
        "size_bytes": sum(entry.size_bytes for entry in manifest.files.values()),
        "is_approved": manifest.verdict.is_approved,
        "data_fingerprint": manifest.data_fingerprint,
    }


def side_by_side(first: Numbers, second: Numbers) -> list[dict[str, Any]]:
    """Return each number of either side with the difference, where both have it."""
    return [
        {
            "name": name,
            "a": first.get(name),
            "b": second.get(name),
            "difference": round(second[name] - first[name], 10) if name in first and name in second else None,
        }
        for name in [*first, *(name for name in second if name not in first)]
    ]


def changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters that differ."""
    names = [*first, *(name for name in second if name not in first)]
    return [
        {"name": name, "a": first.get(name), "b": second.get(name)}
        for name in names
        if first.get(name) != second.get(name)
    ]


def agreement_of(
    first: Artifact,
    second: Artifact,
    sample_size: int = DEFAULT_SAMPLE,
    options: ArbitrationOptions = DEFAULT_OPTIONS,
) -> dict[str, Any]:
    """Return how far the offers agree for a sample of the accounts that both know.

    Offers are those of the artifacts alone, without what happened since. Shares are over the sampled accounts that
    either has an offer for; None if there are none. same_first_offer: share with the same first offer.
    top_10_overlap: mean share of the longer list's first ten that both have.
    """
    known = sorted({*first.content.account_ids.texts} & {*second.content.account_ids.texts})
    sampled = known if len(known) <= sample_size else sorted(Random(0).sample(known, sample_size))  # noqa: S311
    lists = [_lists_of(artifact, sampled, options) for artifact in (first, second)]
    listed = [account_id for account_id in sampled if any(account_id in offers for offers in lists)]
    pairs = [(lists[0].get(account_id, []), lists[1].get(account_id, [])) for account_id in listed]
    n_same = sum(one[:1] == other[:1] for one, other in pairs)
    overlap = sum(len({*one} & {*other}) / max(len(one), len(other)) for one, other in pairs)
    return {
        "accounts_in_both": len(known),
        "accounts_compared": len(pairs),
        "same_first_offer": round(n_same / len(pairs), 4) if pairs else None,
        "top_10_overlap": round(overlap / len(pairs), 4) if pairs else None,
    }


def _lists_of(artifact: Artifact, account_ids: list[str], options: ArbitrationOptions) -> dict[str, list[str]]:
    state = LiveState(artifact.content, artifact.manifest.sequence or 0)
    products = artifact.content.products.ids.texts
    lists: dict[str, list[str]] = {}
    for begin, scored in score_accounts(state, account_ids, N_COMPARED, options):
        for account, product in zip(scored.account.tolist(), scored.product.tolist(), strict=True):
            lists.setdefault(account_ids[begin + account], []).append(products[product])
    return lists


def _numbers(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value
