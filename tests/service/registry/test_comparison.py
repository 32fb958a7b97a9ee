"""Two artifacts side by side."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.offers.smoke import smoke_test
from service.registry import comparison
from service.registry.comparison import agreement_of, compare_artifacts, side_by_side
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world

NEWER = "2024-03-15T00:00:00Z"


@pytest.fixture
def store(artifacts_dir: Path) -> ArtifactStore:
    """The registry of the test."""
    return ArtifactStore(artifacts_dir, smoke_test)


def test_an_artifact_agrees_with_itself(store: ArtifactStore) -> None:
    artifact = store.open(write_world(store.root, coffee_world()))

    compared = compare_artifacts(artifact, artifact)

    assert compared["agreement"]["same_first_offer"] == compared["agreement"]["top_10_overlap"] == 1
    assert compared["agreement"]["accounts_compared"] > 0
    assert all(row["difference"] == 0 for row in (*compared["metrics"], *compared["counts"]))
    assert compared["parameters"] == []


def test_agreement_counts_first_offers_and_the_overlap_of_the_lists(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = store.open(write_world(store.root, coffee_world()))
    ann, bob = sorted(artifact.content.account_ids.texts)[:2]
    lists = iter([{ann: ["x", "y"], bob: ["x", "y"]}, {ann: ["x", "z"], bob: ["y", "x", "z", "w"]}])
    monkeypatch.setattr(comparison, "_lists_of", lambda *_: next(lists))

    agreement = agreement_of(artifact, artifact)

    assert agreement["accounts_compared"] == 2
    assert agreement["same_first_offer"] == 1 / 2
    assert agreement["top_10_overlap"] == (1 / 2 + 2 / 4) / 2


def test_a_sample_is_no_larger_than_asked_for(store: ArtifactStore) -> None:
    artifact = store.open(write_world(store.root, coffee_world()))

    assert agreement_of(artifact, artifact, 1)["accounts_compared"] <= 1


def test_differences_are_the_second_less_the_first() -> None:
    rows = side_by_side({"recall": 0.25, "old": 1.0}, {"recall": 0.75, "new": 2.0})

    assert rows == [
        {"name": "recall", "a": 0.25, "b": 0.75, "difference": 0.5},
        {"name": "old", "a": 1.0, "b": None, "difference": None},
        {"name": "new", "a": None, "b": 2.0, "difference": None},
    ]


def test_the_command_compares_as_text_and_as_json(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_ARTIFACTS_DIR", str(store.root))
    old = write_world(store.root, coffee_world())
    new = write_world(store.root, coffee_world(), as_of=NEWER, seed=2)

    text = CliRunner().invoke(app, ["artifacts", "compare", old, new])
    compared = json.loads(CliRunner().invoke(app, ["artifacts", "compare", old, new, "--json"]).stdout)

    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in text.stdout.splitlines()}
    assert rows["version"][:2] == [old, new]
    assert rows["as_of"][1] == NEWER
    assert (compared["a"]["version"], compared["b"]["version"]) == (old, new)
    assert compared["a"]["size_bytes"] == sum(
        path.stat().st_size for path in (store.root / old).iterdir() if path.name != "manifest.json"
    )
    assert rows["parameters.seed"][:2] == ["1", "2"]
    assert float(rows["agreement.top_10_overlap"][0]) == compared["agreement"]["top_10_overlap"]
