"""Pages that are made from the code and checked in: a difference fails the checks."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def write_or_check(name: str, text: str, module: str, arguments: list[str]) -> int:
    """Write a page; with ``--check``, only tell whether it is current. Return the exit code.

    name: the page's path in the project. module: what makes it, named where it is not current.
    """
    path = ROOT / name
    if arguments == ["--check"]:
        is_current = path.is_file() and path.read_text(encoding="utf-8") == text
        if not is_current:
            print(f"{name} is not current. Run: python -m {module}", file=sys.stderr)  # noqa: T201
        return 0 if is_current else 1
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return 0
