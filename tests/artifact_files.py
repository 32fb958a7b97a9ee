"""The files of an artifact, as parameters of tests that spoil each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.artifacts import coffee_world, content_of

ARRAYS = content_of(coffee_world()).to_arrays()
FILES = sorted([*(f"{stem}.npy" for stem in ARRAYS), "report.json", "manifest.json"])
ONE_OF_EACH_KIND = {
    "manifest.json",
    "report.json",
    *{(array.dtype, array.ndim): f"{stem}.npy" for stem, array in reversed(ARRAYS.items())}.values(),
}
"""Both documents, and of the arrays the first of each dtype and number of dimensions."""

EVERY_FILE = [pytest.param(name, id=name, marks=() if name in ONE_OF_EACH_KIND else pytest.mark.slow) for name in FILES]


@contextmanager
def spoiled(path: Path, spoil: Callable[[Path], None]) -> Iterator[None]:
    """Spoil a file, and put it back at the end, so that tests can share an artifact."""
    content = path.read_bytes()
    spoil(path)
    try:
        yield
    finally:
        path.write_bytes(content)
