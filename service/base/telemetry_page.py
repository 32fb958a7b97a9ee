"""Renders docs/telemetry.md from the declared series: ``python -m service.base.telemetry_page [--check]``."""

import sys

from service.base.generated_page import write_or_check
from service.base.telemetry_series import SERIES

HEAD = """# Telemetry

`GET /metrics` (scope `metrics` or `read`) answers in Prometheus' text format, for all workers of the address that is
scraped. The board is in `operations/grafana/`, the alerts are in `operations/prometheus/`.

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


if __name__ == "__main__":
    sys.exit(write_or_check("docs/telemetry.md", page(), "service.base.telemetry_page", sys.argv[1:]))
