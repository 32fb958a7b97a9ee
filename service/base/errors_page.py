"""Renders docs/errors.md from the table of problems: ``python -m service.base.errors_page [--check]``."""

import sys

from service.base.errors import PROBLEMS
from service.base.generated_page import write_or_check

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


if __name__ == "__main__":
    sys.exit(write_or_check("docs/errors.md", page(), "service.base.errors_page", sys.argv[1:]))
