"""Artifacts on disk: written whole or not at all, and never trusted unseen."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.artifact import ArtifactInvalid, list_artifacts, open_artifact, read_manifest
from tests.artifact_files import EVERY_FILE, FILES, spoiled
from tests.artifacts import coffee_world, content_of, write_world


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = content_of(coffee_world())
    version = write_world(tmp_path, coffee_world())

    artifact = open_artifact(tmp_path / version)

    assert artifact.version == version
    assert artifact.content.report == written.report
    for stem, array in written.to_arrays().items():
        read = artifact.content.to_arrays()[stem]
        assert read.dtype == array.dtype, stem
        np.testing.assert_array_equal(read, array, err_msg=stem)


def test_arrays_are_mapped_and_can_not_be_written_to(tmp_path: Path) -> None:
    artifact = open_artifact(tmp_path / write_world(tmp_path, coffee_world()))

    assert not artifact.content.popular_scores.flags.writeable
    assert not artifact.content.popular_scores.flags.owndata


def test_the_same_content_has_the_same_version_and_bytes(tmp_path: Path) -> None:
    first = write_world(tmp_path / "one", coffee_world())
    second = write_world(tmp_path / "two", coffee_world())

    assert first == second
    for name in FILES:
        assert (tmp_path / "one" / first / name).read_bytes() == (tmp_path / "two" / second / name).read_bytes(), name


def test_another_parameter_gives_another_version(tmp_path: Path) -> None:
    assert write_world(tmp_path, coffee_world(), seed=1) != write_world(tmp_path, coffee_world(), seed=2)


def test_writing_the_same_artifact_twice_leaves_one(tmp_path: Path) -> None:
    version = write_world(tmp_path, coffee_world())
    write_world(tmp_path, coffee_world())

    assert [path.name for path in tmp_path.iterdir()] == [version]


def test_the_newest_data_is_listed_first_and_half_written_folders_are_not(tmp_path: Path) -> None:
    old = write_world(tmp_path, coffee_world(), as_of="2023-12-31T00:00:00Z")
    new = write_world(tmp_path, coffee_world(), as_of="2024-01-31T00:00:00Z")
    (tmp_path / ".writing-abc").mkdir()

    assert [path.name for path in list_artifacts(tmp_path)] == [new, old]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact that is whole before and after each test."""
    root = tmp_path_factory.mktemp("artifacts")
    return root / write_world(root, coffee_world())


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_missing_file_is_named(shared: Path, name: str) -> None:
    with spoiled(shared / name, Path.unlink), pytest.raises(ArtifactInvalid, match="missing") as refused:
        open_artifact(shared)

    assert refused.value.file.name == name


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_truncated_file_is_named(shared: Path, name: str) -> None:
    with spoiled(shared / name, truncate), pytest.raises(ArtifactInvalid) as refused:
        open_artifact(shared)

    assert refused.value.file.name == name


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_flipped_bit_is_found(shared: Path, name: str) -> None:
    with spoiled(shared / name, flip_bit), pytest.raises(ArtifactInvalid) as refused:
        open_artifact(shared)

    assert refused.value.file.name == name


def test_a_renamed_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())
    folder.rename(tmp_path / "20240301T000000Z-0000000000000000")

    with pytest.raises(ArtifactInvalid, match="named otherwise"):
        open_artifact(tmp_path / "20240301T000000Z-0000000000000000")


def test_a_manifest_that_approves_itself_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world(), is_approved=False)
    document = json.loads((folder / "manifest.json").read_text())
    document["verdict"]["is_approved"] = True
    (folder / "manifest.json").write_text(json.dumps(document))

    with pytest.raises(ArtifactInvalid, match="altered"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "foreign"),
        ({"format_version": 99}, "train again"),
        ({"files": {"../evil.npy": {"sha256": "", "size_bytes": 0}}}, "outside its folder"),
        ({"files": []}, "malformed"),
        ({"surprise": 1}, "malformed"),
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())
    document = json.loads((folder / "manifest.json").read_text()) | change
    (folder / "manifest.json").write_text(json.dumps(document))

    with pytest.raises(ArtifactInvalid, match=reason):
        read_manifest(folder)


def test_an_array_of_pickled_objects_is_never_loaded(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())
    np.save(folder / "popular_scores.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(ArtifactInvalid, match=r"popular_scores\.npy"):
        open_artifact(folder, verify=False)


def test_a_writer_that_is_killed_leaves_nothing_visible(tmp_path: Path) -> None:
    # The writer stops for good just before its folder would get its name.
    script = (
        "import os, pathlib, sys, time\n"
        "from tests.artifacts import coffee_world, write_world\n"
        "def hang(*_):\n"
        "    print('about to rename', flush=True)\n"
        "    time.sleep(60)\n"
        "pathlib.Path.rename = hang\n"
        "write_world(pathlib.Path(sys.argv[1]), coffee_world())\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"about to rename\n"
        os.kill(writer.pid, signal.SIGKILL)

    assert list(list_artifacts(tmp_path)) == []


def test_an_opened_artifact_outlives_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())
    artifact = open_artifact(folder)

    shutil.rmtree(folder)

    assert artifact.content.popular_scores.tolist() == content_of(coffee_world()).popular_scores.tolist()


def truncate(path: Path) -> None:
    """Cut off the last byte; of the manifest some more, since it ends with a newline."""
    path.write_bytes(path.read_bytes()[: -9 if path.name == "manifest.json" else -1])


def flip_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
