"""Renders docs/errors.md from the table of problems: ``python -m service.base.errors_page [--check]``."""

import sys
from pathlib import Path

from service.base.errors import PROBLEMS

PAGE = Path(__file__).parent.parent.parent / "docs" / "errors.md"
HEAD = """# Errors

Every error over HTTP is a problem detail (RFC 9457) of type `application/problem+json`. Branch on `code`, which is
stable; `detail` says in words what happened this time, and `request_id` is what to quote when asking for help. With
`request-invalid`, `errors` names each field or parameter that is wrong; with status 429 and 503,
`retry_after_seconds` says when to try again. The command line prints the same details.

Each route names its codes in [openapi.yaml](../openapi.yaml). Any route may also answer `internal-error`. Codes may be
added, as [compatibility.md](compatibility.md) says.

Made by `python -m service.base.errors_page` from `service/base/errors.py`; edit that, not this page.

| code | status | meaning |
|---|---|---|
"""


def page() -> str:
    """Return the page that lists every code."""
    return HEAD + "".join(f"| `{code}` | {kind.status} | {kind.title} |\n" for code, kind in PROBLEMS.items())


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check``, only tell whether it is current."""
    if arguments == ["--check"]:
        is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        if not is_current:
            print("docs/errors.md is not current. Run: python -m service.base.errors_page", file=sys.stderr)  # noqa: T201
        return 0 if is_current else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
