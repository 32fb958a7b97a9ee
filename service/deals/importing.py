"""Import deals from files: all of a file in one transaction, or nothing."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine

from service.deals.merge_rows import ErrorsByRow, MergedDeal, merge_rows
from service.deals.queries import AppliedDeals, apply_deals
from service.deals.resolve import DealTerms
from service.deals.row_spool import RowSpool, SpooledRow
from service.deals.schemas import DealRow, read_deal_status
from service.deals.stages import DealStatus, contradicts
from service.orders.queries import matcher_of_all_products
from service.rows.chunks import Chunk, Reject, RowError
from service.rows.errors import InvalidImportOption, MissingColumn, UnreadableFile
from service.rows.guest_values import GuestValues
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun, joined_transaction
from service.rows.options import ImportOptions
from service.rows.summary import ImportSummary
from service.rows.text_fields import read_identifier
from service.rows.validation import RowErrors, placeholder_errors, validate_rows
from service.storage.changes import ChangeLog
from service.storage.database import read_connection
from service.storage.turns import hold_off_erasures

_ROWS_PER_WRITE: Final = 2000
_LINES_NOTE: Final = "products of these deals"
_CONTRADICTED_NOTE: Final = "deals whose stage means something else than their flags or status, which count"
_SEVERAL_IDS: Final = re.compile(r"\d+(?: *; *\d+)+")
_ROWS: Final = TypeAdapter(list[DealRow])


def import_deals(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Import the deals of one file. What precedes an unreadable part of it is imported."""
    if not {"stage", "product_id", "lines"} & import_run.columns.keys():
        raise MissingColumn(import_run.source.path, ["stage", "product_id"], import_run.source.names, "")
    broken: UnreadableFile | None = None
    with closing(RowSpool()) as spool:
        try:
            for chunk in import_run.chunks():
                _spool_chunk(spool, chunk, import_run)
        except UnreadableFile as error:
            broken = error
        _write_spooled(engine, spool, import_run, now)
    if broken:
        raise broken


def _spool_chunk(spool: RowSpool, chunk: Chunk, import_run: ImportRun) -> None:
    """Validate rows. One whose deal can't be told is refused at once; the others wait for the rest of their deal."""
    rows = import_run.rows(chunk, as_written=frozenset({"stage"}))
    valid, errors = validate_rows(_ROWS, rows, import_run.formats)
    guests = GuestValues(import_run.options.orders.guest_values)
    errors = errors | placeholder_errors(valid, guests) | _several_ids(valid, import_run)
    by_deal: dict[str, list[SpooledRow]] = {}
    of_no_deal: RowErrors = {}
    for index, (line, given) in enumerate(zip(chunk.lines, rows, strict=True)):
        try:
            deal_id = read_identifier(given["deal_id"])
        except ValueError:
            of_no_deal[index] = errors[index]
            continue
        row = SpooledRow(line, chunk.row(index), None if index in errors else valid.get(index), errors.get(index, ()))
        by_deal.setdefault(deal_id, []).append(row)
    import_run.refuse(chunk, of_no_deal)
    for deal_id, of_deal in by_deal.items():
        spool.add(deal_id, of_deal)


def _several_ids(rows: Mapping[int, DealRow], import_run: ImportRun) -> RowErrors:
    """The errors of rows that name several accounts or deals in one cell, as HubSpot lists associated records."""
    errors: RowErrors = {}
    for index, row in rows.items():
        for name in ("account_id", "deal_id"):
            if _SEVERAL_IDS.fullmatch(getattr(row, name) or ""):
                reason = (
                    f"holds several identifiers, {getattr(row, name)}, in column {import_run.columns[name]}; choose "
                    f"one, or map the column that holds one alone: --map COLUMN={name}"
                )
                errors[index] = (*errors.get(index, ()), RowError(name, reason))
    return errors


def _write_spooled(engine: Engine, spool: RowSpool, import_run: ImportRun, now: datetime) -> None:
    options, totals = import_run.options, Counter[str]()
    with read_connection(engine) as connection:
        matcher = matcher_of_all_products(connection, options)
    terms = DealTerms(matcher, now, options.default_currency, _stages_of(options), options.formats.zone)
    with joined_transaction(engine, import_run) as connection:
        hold_off_erasures(connection)
        changes = ChangeLog()
        for deals in spool.batches(_ROWS_PER_WRITE):
            totals += _totals(_apply(connection, deals, terms, import_run, changes), terms)
        changes.write(connection, now)
    _summarize(totals, import_run.summary)


def _apply(
    connection: Connection,
    deals: Sequence[Sequence[SpooledRow]],
    terms: DealTerms,
    import_run: ImportRun,
    changes: ChangeLog,
) -> AppliedDeals:
    merged = {index: merge_rows(rows) for index, rows in enumerate(deals)}
    whole = {index: result for index, result in merged.items() if isinstance(result, MergedDeal)}
    import_run.show(each.deal.model_dump(exclude_none=True) for each in whole.values())
    applied = apply_deals(connection, {index: each.deal for index, each in whole.items()}, terms, changes)
    errors = {index: result for index, result in merged.items() if not isinstance(result, MergedDeal)}
    errors |= {index: whole[index].row_errors(of_deal) for index, of_deal in applied.errors.items()}
    rejects = [reject for index, by_row in errors.items() for reject in _rejects_of(deals[index], by_row)]
    import_run.reject(sorted(rejects, key=lambda reject: reject.line))
    named = [line.product_id for index in applied.statuses for line in whole[index].deal.lines or ()]
    pairs = ((written, terms.matcher.resolve(written)) for written in named)
    import_run.summary.matched.update(pair for pair in pairs if pair[0] != pair[1])
    return applied


def _stages_of(options: ImportOptions) -> dict[str, DealStatus]:
    """What the caller says that stages mean; raises InvalidImportOption for anything but open, won and lost."""
    stages: dict[str, DealStatus] = {}
    for stage, meaning in options.values.get("stage", {}).items():
        try:
            status = read_deal_status(meaning)
        except ValueError as error:
            raise InvalidImportOption(f"--map-value stage:{stage}={meaning}: {error}.") from error
        if status:
            stages[stage] = status
    return stages


def _rejects_of(rows: Sequence[SpooledRow], errors: ErrorsByRow) -> Iterator[Reject]:
    """All rows of a deal: if only the good ones went in, the deal would lack the products of the others."""
    named = ", ".join(str(rows[index].line) for index in sorted(errors)[:10])
    other = RowError("deal_id", f"belongs to a deal that is rejected because of line {named}; import its rows together")
    for index, row in enumerate(rows):
        yield Reject(row.line, errors.get(index, (other,)), row.row)


def _totals(applied: AppliedDeals, terms: DealTerms) -> Counter[str]:
    contradicted = [deal for deal in applied.deals if contradicts(deal.stage, deal.status, terms.value_map)]
    return Counter(applied.statuses.values()) + Counter(
        deals=len(applied.statuses),
        lines=sum(len(deal.lines) for deal in applied.deals),
        contradicted=len(contradicted),
        accounts=applied.stubs.accounts,
        products=applied.stubs.products,
    )


def _summarize(totals: Counter[str], summary: ImportSummary) -> None:
    summary.rows.add(totals["created"], totals["updated"], totals["deals"])
    summary.account_stubs += totals["accounts"]
    summary.product_stubs += totals["products"]
    notes = {_LINES_NOTE: totals["lines"], _CONTRADICTED_NOTE: totals["contradicted"]}
    summary.notes += [f"{count:,} {what}" for what, count in notes.items() if count]


DEAL_IMPORT: Final = ImportKind(
    name="deals",
    help="""Import deals: deal_id, account_id, stage, status, currency, opened_at, closed_at, expected_close.

    A deal may take several rows, one for each product: product_id, quantity, and value or value_minor of the product.
    A row without a product is about the deal alone; deal_value is the value of the deal as a whole. Rows of a deal need
    not stand together; a field of the deal must not differ between them. A file without products leaves those that are
    stored; one with products replaces them. So a file of deals and a file of their products go in one after the other:
    the second needs deal_id and product_id only.

    Status is open, won or lost: if left out, what is_won and is_closed say, or else the stage. A won deal needs
    closed_at. It becomes an order if it has products, so that the same purchases must not be imported as orders.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """,
    fields=tuple(DealRow.model_fields),
    mandatory=("deal_id",),
    import_rows=import_deals,
    kinds={
        **dict.fromkeys(("opened_at", "closed_at", "expected_close"), "date"),
        **dict.fromkeys(("quantity", "value", "value_minor", "deal_value", "deal_value_minor"), "number"),
    },
    takes_default_currency=True,
    takes_unknown_products=True,
    takes_account_values=True,
)
