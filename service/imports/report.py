"""The summary of an import in words."""

from typing import Final

from service.rows.options import DEFAULT_OPTIONS, ImportOptions
from service.rows.summary import Counts, ImportSummary

_MAX_PAIRS: Final = 20


def summary_lines(summary: ImportSummary, options: ImportOptions = DEFAULT_OPTIONS) -> list[str]:
    """What happened, a line each; warnings last."""
    noun = summary.row_noun or summary.kind
    lines = [f"Read {summary.read:,} rows in {summary.seconds:.1f} s."]
    if options.is_dry_run:
        lines += ["Nothing is stored: this is a dry run. It would be:", *_shown_columns(summary), *_shown_rows(summary)]
    if summary.kind == "orders":
        lines.append(f"orders: {_counts(summary.orders)}")
    lines.append(f"{noun}: {_counts(summary.rows)}")
    stubs = ((summary.account_stubs, "accounts"), (summary.product_stubs, "products"))
    lines += [f"{count:,} {named} added that nobody has described yet" for count, named in stubs if count]
    lines += note_lines(summary)
    lines += [f"WARNING: {warning}" for warning in summary.warnings]
    if summary.skipped and summary.skipped == summary.read:
        lines.append("WARNING: --where skipped all rows, so nothing was imported; compare it with the file's values")
    if summary.rejected:
        lines.append(f"WARNING: {summary.rejected:,} rows rejected; see {', '.join(map(str, summary.rejects_files))}")
    return lines


def share_line(summary: ImportSummary, options: ImportOptions) -> str | None:
    """What to say if a larger share of the rows was rejected than is accepted; always if all were."""
    share = summary.rejected_share
    if not summary.rejected or (share <= options.max_rejected_share and share < 1):
        return None
    stored = f"none {options.was} stored" if share == 1 else f"the others {options.were} stored"
    accepted = f"{options.max_rejected_share:.0%}".replace("%", " %")
    return (
        f"ERROR: {summary.rejected:,} of {summary.read - summary.skipped:,} rows ({share:.0%}) were rejected, ".replace(
            "%)", " %)"
        )
        + f"more than the accepted {accepted} (--max-rejected-share); {stored}. Correct the rejected rows, and import "
        "them or the whole file again."
    )


def note_lines(summary: ImportSummary) -> list[str]:
    """What was not read as it stands in the files."""
    noun = summary.row_noun or summary.kind
    counts = (
        (summary.repeated, f"rows repeated one of the {noun}: the last row counts"),
        (summary.skipped, "rows skipped by --where"),
        (summary.footer_lines, "lines below the rows skipped: a report's footer"),
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
    return lines + summary.notes + summary.counted_notes.lines()


def _shown_columns(summary: ImportSummary) -> list[str]:
    return [
        f"{path.name}: " + ", ".join(f"{theirs} = {ours}" for ours, theirs in columns.items())
        for path, columns in summary.columns.items()
    ]


def _shown_rows(summary: ImportSummary) -> list[str]:
    return [
        "  " + ", ".join(f"{name}: {value}" for name, value in row.items() if value is not None)
        for row in summary.sample
    ]


def _counts(counts: Counts) -> str:
    return f"{counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged"
