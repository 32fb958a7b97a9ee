"""The summary of an import in words."""

from typing import Final

from service.rows.summary import Counts, ImportSummary

_MAX_PAIRS: Final = 20


def summary_lines(summary: ImportSummary) -> list[str]:
    """What happened, a line each; warnings last."""
    noun = summary.row_noun or summary.kind
    lines = [f"Read {summary.read:,} rows in {summary.seconds:.1f} s."]
    if summary.kind == "orders":
        lines.append(f"orders: {_counts(summary.orders)}")
    lines.append(f"{noun}: {_counts(summary.rows)}")
    stubs = ((summary.account_stubs, "accounts"), (summary.product_stubs, "products"))
    lines += [f"{count:,} {named} added that nobody has described yet" for count, named in stubs if count]
    lines += note_lines(summary)
    if summary.rejected:
        lines.append(f"WARNING: {summary.rejected:,} rows rejected; see {', '.join(map(str, summary.rejects_files))}")
    return lines


def note_lines(summary: ImportSummary) -> list[str]:
    """What was not read as it stands in the files."""
    noun = summary.row_noun or summary.kind
    counts = (
        (summary.repeated, f"rows repeated one of the {noun}: the last row counts"),
        (summary.skipped, "rows skipped by --where"),
    )
    lines = [f"{count:,} {what}" for count, what in counts if count]
    lines += [
        f"{path.name}: ignored columns {', '.join(names)}" for path, names in summary.ignored_columns.items() if names
    ]
    lines += [
        f"{written} read as {known}: {count:,} {'lines' if summary.kind == 'orders' else noun}"
        for (written, known), count in summary.matched.most_common(_MAX_PAIRS)
    ]
    if (more := len(summary.matched) - _MAX_PAIRS) > 0:
        lines.append(f"... and {more:,} more products read as others")
    return lines


def _counts(counts: Counts) -> str:
    return f"{counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged"
