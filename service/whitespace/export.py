"""The map as a spreadsheet: a row for each cell, and matrices of rows by segments."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from service.readmodel.segment_catalog import EVERYONE
from service.web.columns import CURRENCY, WIDE, Column, Row, day, flag, money, number, share, text, whole
from service.web.spreadsheets import Table
from service.whitespace.answers import NO_SEGMENT

COLUMNS: Final[tuple[Column, ...]] = (
    text("row", width=WIDE),
    flag("still_sold"),
    text("segment"),
    text("segment_id"),
    whole("accounts"),
    whole("owners"),
    share("penetration"),
    share("best_penetration"),
    text("best_segment"),
    text("best_segment_id"),
    whole("headroom_accounts"),
    money("revenue"),
    whole("window_days"),
    number("expected_buyers"),
    money("expected_revenue"),
    money("expected_revenue_low"),
    money("expected_revenue_high"),
    CURRENCY,
    number("horizon_days"),
    whole("adopters"),
    whole("adopters_before"),
    day("as_of"),
)


def rows_of(described: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the cells of a described map, row by row, segment by segment."""
    shared = {name: described[name] for name in ("window_days", "horizon_days", "currency", "as_of")}
    for item in described["items"]:
        for cell in cells_of(item):
            expected, trend = cell["expected_revenue"] or {}, cell["trend"] or {}
            yield {
                **cell,
                **shared,
                "row": item["row"],
                "still_sold": item["is_sold"],
                "segment": cell["segment_name"],
                "penetration": cell["penetration"]["value"],
                "best_segment": cell["best_segment_name"],
                "expected_revenue_minor": expected.get("expected_minor"),
                "expected_revenue_low_minor": expected.get("low_minor"),
                "expected_revenue_high_minor": expected.get("high_minor"),
                "adopters": trend.get("adopters"),
                "adopters_before": trend.get("adopters_before"),
            }


def cells_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the cells of a row: one per segment, and one of the accounts in none of them."""
    return [*item["cells"], *([item["others"]] if item["others"] else [])]


def matrices_of(described: Mapping[str, Any]) -> tuple[Table, ...]:
    """Lay the map out with a row for each line or category, and a column for each segment."""
    columns = [(column["segment_id"], column["name"]) for column in described["columns"]]
    has_others = any(item["others"] for item in described["items"])
    columns += [("none", NO_SEGMENT)] * has_others + [(EVERYONE, "All accounts")]
    row, names = text("row", width=WIDE), unique_names(columns)
    revenue = [money(name, segment_id) for segment_id, name in names]
    penetration = [share(name, segment_id) for segment_id, name in names]
    return (
        Table("Expected revenue", (row, *revenue, CURRENCY), partial(_matrix, described, _expected_minor)),
        Table("Penetration", (row, *penetration), partial(_matrix, described, _penetration)),
    )


def unique_names(columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return identifiers and names; users may give two segments one name, which the identifier then tells apart."""
    names = [name for _, name in columns]
    return [(key, name if names.count(name) == 1 else f"{name} ({key})") for key, name in columns]


def about(described: Mapping[str, Any]) -> dict[str, object]:
    """Say what the figures rest on."""
    basis = {name: described[name] for name in ("as_of", "artifact_version", "family", "window_days", "horizon_days")}
    return basis | {
        "currency": described["currency"] or "none named",
        "revenue": f"What the accounts spent in the {described['window_days']} days before as_of, returns subtracted.",
        "penetration": "Share of the segment's accounts that own something of it.",
        "best_penetration": "The highest penetration among the segments with at least 30 accounts.",
        "headroom_accounts": "Additional owners if the segment matched the best one.",
        "expected_revenue": "What accounts without it are expected to spend on it within horizon_days, with a 95 % "
        "interval from low to high.",
        "adopters": "Accounts that first bought of it in the last horizon_days, and in as many days before.",
    }


def _matrix(described: Mapping[str, Any], figure: Any) -> Iterator[Row]:
    for item in described["items"]:
        figures = {cell["segment_id"]: figure(cell) for cell in (*cells_of(item), item["total"])}
        yield {"row": item["row"], "currency": described["currency"], **figures}


def _expected_minor(cell: Mapping[str, Any]) -> int | None:
    return cell["expected_revenue"]["expected_minor"] if cell["expected_revenue"] else None


def _penetration(cell: Mapping[str, Any]) -> float | None:
    value: float | None = cell["penetration"]["value"]
    return value
