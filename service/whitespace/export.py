"""The map as a spreadsheet: one cell a row, with no text that a spreadsheet takes for a formula."""

from collections.abc import Iterator
from typing import Any, Final

from service.web.spreadsheets import Row

COLUMNS: Final = (
    "row", "still_sold", "segment", "segment_id", "accounts", "owners", "penetration", "best_penetration",
    "best_segment_id", "headroom_accounts", "revenue_minor", "window_days", "expected_buyers", "expected_revenue_minor",
    "expected_revenue_low_minor", "expected_revenue_high_minor", "horizon_days", "adopters", "adopters_before", "as_of",
)  # fmt: skip


def rows_of(described: dict[str, Any]) -> Iterator[Row]:
    """Yield the cells of a described map, row by row, segment by segment."""
    names = {column["segment_id"]: column["name"] for column in described["columns"]}
    for item in described["items"]:
        others = [item["others"]] if item["others"] else []
        for cell in (*item["cells"], *others):
            money, trend = cell["expected_revenue"] or {}, cell["trend"] or {}
            yield (
                item["row"],
                "yes" if item["is_sold"] else "no",
                names.get(cell["segment_id"], "None of these"),
                cell["segment_id"],
                cell["accounts"],
                cell["owners"],
                cell["penetration"]["value"],
                cell["best_penetration"],
                cell["best_segment_id"],
                cell["headroom_accounts"],
                cell["revenue_minor"],
                described["window_days"],
                cell["expected_buyers"],
                money.get("expected_minor"),
                money.get("low_minor"),
                money.get("high_minor"),
                described["horizon_days"],
                trend.get("adopters"),
                trend.get("adopters_before"),
                described["as_of"].isoformat(),
            )
