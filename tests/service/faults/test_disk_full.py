"""A disk that is really full: a small file system of its own, in a mount namespace of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import errno, json, os, sys
from pathlib import Path

from models.artifact import open_artifact
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world

root = Path(sys.argv[1])
store = ArtifactStore(root, smoke_test)
first = write_world(root, coffee_world())
second = write_world(root, coffee_world(), as_of="2024-03-01T00:00:00Z")
store.activate(first)
report = {"first": first}
with (root / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(512))
    except OSError as error:
        report["filler"] = errno.errorcode[error.errno]
for name, act in {
    "write": lambda: write_world(root, coffee_world(), as_of="2024-03-02T00:00:00Z"),
    "activate": lambda: store.activate(second),
}.items():
    try:
        act()
        report[name] = "done"
    except OSError as error:
        report[name] = errno.errorcode[error.errno]
report["left"] = sorted(path.name for path in root.iterdir() if path.name.startswith(".") and path.name != ".lock")
report["active"] = store.active_version()
open_artifact(store.folder_of(first))
(root / "filler").unlink()
third = write_world(root, coffee_world(), as_of="2024-03-02T00:00:00Z")
store.activate(third)
report["recovered"] = store.active_version() == third
print(json.dumps(report))
"""


def has_namespaces() -> bool:
    """Tell whether this user may mount a file system of their own."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_namespaces(), reason="mount namespaces are not allowed here")
def test_a_full_disk_leaves_no_half_artifact_and_the_active_one_as_it_was(tmp_path: Path) -> None:
    script = f'mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'

    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["filler"] == report["write"] == report["activate"] == "ENOSPC"
    assert report["left"] == []
    assert report["active"] == report["first"]
    assert report["recovered"]
