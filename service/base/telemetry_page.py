"""Renders docs/telemetry.md from the declared series: ``python -m service.base.telemetry_page [--check]``."""

import sys
from pathlib import Path

from service.base.telemetry_series import SERIES

PAGE = Path(__file__).parent.parent.parent / "docs" / "telemetry.md"
HEAD = """# Telemetry

`GET /metrics` (scope `read`) answers in Prometheus' text format, for all workers of the address that is scraped. The
board is in `operations/grafana/`, the alerts are in `operations/prometheus/`.

Made by `python -m service.base.telemetry_page` from `service/base/telemetry_series.py`; edit that, not this page.

| series | kind | labels | what it tells | what to do about it |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page that describes every series."""
    rows = [
        f"| `{series.exposed[0] if series.kind != 'histogram' else series.name}` | {series.kind} "
        f"| {', '.join(f'`{label}`' for label in series.labels) or '-'} | {series.help} | {series.action} |\n"
        for series in SERIES
    ]
    return HEAD + "".join(rows)


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check``, only tell whether it is current."""
    if arguments == ["--check"]:
        is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        if not is_current:
            print("docs/telemetry.md is not current. Run: python -m service.base.telemetry_page", file=sys.stderr)  # noqa: T201
        return 0 if is_current else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
