"""From whatever a file or a database gives to the columns that training needs; every bad row is named."""

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from models.data.errors import HistoryInvalid

LINE_COLUMNS = ("account_id", "order_id", "product_id", "ordered_at", "quantity", "amount_minor")
PROBLEMS_SHOWN = 10

Convert = Callable[[pa.ChunkedArray], pa.ChunkedArray]


def to_lines(table: pa.Table, source: str, renames: Mapping[str, str]) -> pa.Table:
    """Convert and check order lines.

    table:   any of the accepted types: identifiers as text or integers, ``ordered_at`` as a timestamp, a date, ISO
             text or epoch seconds, numbers as numbers or text. quantity (1) and amount_minor (0) may be absent.
    renames: their column name to ours.
    Raises HistoryInvalid with the first bad rows, counted from 1, and their fields.
    """
    table = table.rename_columns([renames.get(name, name) for name in table.column_names])
    missing = [
        name for name in ("account_id", "order_id", "product_id", "ordered_at") if name not in table.column_names
    ]
    if missing:
        found = ", ".join(table.column_names)
        raise HistoryInvalid(
            source, [f"no column {', '.join(missing)}; the columns are {found}. Name theirs with --map theirs=ours"]
        )
    problems: list[str] = []
    columns = {name: _identifier(table[name]) for name in ("account_id", "order_id", "product_id")}
    columns["ordered_at"] = _convert(table, "ordered_at", _epoch_seconds, problems)
    for name, convert, default in (
        ("quantity", _quantity, pa.scalar(1, pa.float32())),
        ("amount_minor", _amount, pa.scalar(0, pa.int64())),
    ):
        is_given = name in table.column_names
        columns[name] = _convert(table, name, convert, problems) if is_given else pa.repeat(default, table.num_rows)
    columns["amount_minor"] = pc.fill_null(columns["amount_minor"], 0)
    _check_rows(columns, problems)
    if problems:
        raise HistoryInvalid(source, problems)
    if not table.num_rows:
        raise HistoryInvalid(source, ["no order lines: there is nothing to learn from"])
    return pa.table(columns)


def _identifier(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.cast(column, pa.string())
    if pa.types.is_floating(column.type):
        text = pc.replace_substring_regex(text, r"\.0$", "")
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _epoch_seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_integer(column.type):
        return pc.cast(column, pa.int64())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        if pc.all(pc.match_substring_regex(column, r"^\d{9,10}$")).as_py():
            return pc.cast(column, pa.int64())
        column = pc.cast(column, pa.timestamp("ns", tz="UTC" if _has_zone(column) else None))
    elif pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("s"))
    return pc.cast(pc.cast(column, pa.timestamp("s"), safe=False), pa.int64())


def _has_zone(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")).as_py())


def _quantity(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.float32(), safe=False)


def _amount(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.int64())


def _convert(table: pa.Table, name: str, convert: Convert, problems: list[str]) -> pa.ChunkedArray:
    try:
        return convert(table[name])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row, reason = _first_bad_row(table[name], convert)
        problems.append(f"{name}: row {row + 1}: {reason}")
        return pa.nulls(table.num_rows, pa.int64())


def _first_bad_row(column: pa.ChunkedArray, convert: Convert) -> tuple[int, str]:
    """Find the first value that does not convert, by halving, and why."""
    low, high = 0, len(column)
    reason = ""
    while low < high:
        middle = (low + high) // 2
        try:
            convert(column.slice(low, middle + 1 - low))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            high, reason = middle, str(error).splitlines()[0]
        else:
            low = middle + 1
    return low, reason


def _check_rows(columns: Mapping[str, pa.ChunkedArray], problems: list[str]) -> None:
    checks = {
        "order_id": ("is missing", pc.is_null(columns["order_id"])),
        "product_id": ("is missing", pc.is_null(columns["product_id"])),
        "ordered_at": ("is missing", pc.is_null(columns["ordered_at"])),
        "quantity": ("is not a finite number", pc.invert(pc.fill_null(pc.is_finite(columns["quantity"]), False))),
    }
    for field, (reason, is_bad) in checks.items():
        if any(problem.startswith(f"{field}: ") for problem in problems):
            continue
        # Before pyarrow 26.0.1 this function ends the process if an array has no chunk, as that of an empty file.
        rows = pc.indices_nonzero(is_bad).to_pylist() if len(is_bad) else []
        if rows:
            shown = ", ".join(str(row + 1) for row in rows[:PROBLEMS_SHOWN])
            more = f" and {len(rows) - PROBLEMS_SHOWN} more" if len(rows) > PROBLEMS_SHOWN else ""
            problems.append(f"{field}: {reason} in row {shown}{more}")
