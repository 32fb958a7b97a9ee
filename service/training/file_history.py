"""A sales history from files, read exactly as ``nextoffer import`` reads them into the database."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from models.data.day_zone import DayZone
from models.data.history import PRODUCT_FLAGS, PRODUCT_NUMBERS, PRODUCT_TEXTS, History, build_history
from models.exchange import ExchangeOptions, ExchangeRates
from service.accounts.importing import ACCOUNT_IMPORT, ACCOUNT_RECORDS
from service.catalogue.importing import PRODUCT_IMPORT, PRODUCT_RECORDS
from service.catalogue.links_to_products import LinkCheck, checked
from service.exchange_rates.importing import EXCHANGE_RATE_IMPORT, read_rates
from service.exchange_rates.schemas import RateKey
from service.imports.report import note_lines
from service.orders.frequent_accounts import FrequentAccounts
from service.orders.importing import ORDER_IMPORT
from service.orders.order_reader import OrderReader
from service.rows.chunks import Progress, Source
from service.rows.column_mapping import is_field
from service.rows.errors import MissingColumn, TooManyRejects
from service.rows.format_detection import detect_formats
from service.rows.import_kind import ImportKind
from service.rows.import_memory import ImportMemory
from service.rows.import_run import ImportRun
from service.rows.options import ImportOptions
from service.rows.product_matching import ProductMatcher
from service.rows.readers import open_source
from service.rows.record_import import (
    RecordImport,
    attribute_types_of,
    fill_spool,
    resolve_as_given,
    typed_batches,
)
from service.rows.record_spool import RecordSpool
from service.rows.summary import ImportSummary
from service.training.errors import AccountsMissing, RowsRejected
from service.training.history_columns import HistoryColumns
from service.training.rejected_rows import RejectedRows

ALSO_MANDATORY: Final = {ORDER_IMPORT.name: ("account_id",)}
"""An import takes order lines without a column of accounts; nothing could be learned from them of any account."""
_EPOCH: Final = date(1970, 1, 1)
_RECORDS_PER_BATCH: Final = 10_000
Records = dict[str, dict[str, Any]]
"""The columns that are given for each identifier."""


@dataclass(frozen=True)
class HistoryFiles:
    """Files of order lines, of the products and accounts that these name, and of exchange rates."""

    orders: Sequence[Path]
    products: Path | None = None
    accounts: Path | None = None
    exchange_rates: Path | None = None

    def by_kind(self) -> list[tuple[ImportKind, list[Path]]]:
        """The files of each kind."""
        return [
            (PRODUCT_IMPORT, [self.products] if self.products else []),
            (ACCOUNT_IMPORT, [self.accounts] if self.accounts else []),
            (ORDER_IMPORT, list(self.orders)),
            (EXCHANGE_RATE_IMPORT, [self.exchange_rates] if self.exchange_rates else []),
        ]


def history_from_files(
    files: HistoryFiles,
    options: ImportOptions | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
    reporting_currency: str | None = None,
    now: datetime | None = None,
    timezone: str = "UTC",
    *,
    is_basket_only: bool = False,
) -> History:
    """Read order lines, and products and accounts where given.

    options: by default, a single invalid row is too many.
    now:     dates after it are in the future; by default the clock's.
    note:    called with what is worth knowing afterwards, such as ignored columns.
    reporting_currency: by default that of most order lines.
    timezone: of the history's days, an IANA name; that of times without an offset is in ``options``.
    is_basket_only: accept order lines without a column of accounts.
    Raises what an import raises, and RowsRejected for more than ``max_rejects`` invalid rows.
    """
    options = options or ImportOptions(max_rejects=0)
    summary = ImportSummary("history", "rows")
    with closing(RejectedRows(options.rejects, [path for _, paths in files.by_kind() for path in paths])) as rejected:
        try:
            also_mandatory = {} if is_basket_only else ALSO_MANDATORY
            runs = _open(files, options, summary, rejected, progress, also_mandatory)
            history = _read(runs, options, reporting_currency, now or datetime.now(UTC), DayZone(timezone))
            for run in runs[ORDER_IMPORT.name][:1]:
                run.memory.part(FrequentAccounts).note(summary.counted_notes)
        except TooManyRejects as error:
            raise RowsRejected(options.max_rejects or 0, rejected.first) from error
    for line in note_lines(summary):
        note(line)
    if summary.rejected:
        note("\n  ".join([f"{summary.rejected:,} invalid rows were left out. The first of them:", *rejected.first]))
    return history


def _open(
    files: HistoryFiles,
    options: ImportOptions,
    summary: ImportSummary,
    rejected: RejectedRows,
    progress: Callable[[Progress], None],
    also_mandatory: Mapping[str, tuple[str, ...]],
) -> dict[str, list[ImportRun]]:
    """Open all files and check their columns before any row is read."""
    sources = {kind.name: [open_source(path, options.layout) for path in paths] for kind, paths in files.by_kind()}
    runs: dict[str, list[ImportRun]] = {}
    memory = ImportMemory()
    for kind, _ in files.by_kind():
        where = options.where if kind is ORDER_IMPORT else ()
        own = replace(options, mapping=_mapping_for(kind, sources, options), where=where)
        runs[kind.name] = []
        for source in sources[kind.name]:
            columns = _check_columns(kind, source, own, also_mandatory.get(kind.name, ()))
            formats = detect_formats(source, columns, kind.kinds, own.formats)
            run = ImportRun(source, columns, own, summary, rejected, progress, formats, memory)
            summary.ignored_columns[source.path] = run.ignored_columns()
            runs[kind.name].append(run)
    return runs


def _check_columns(
    kind: ImportKind, source: Source, options: ImportOptions, also_mandatory: tuple[str, ...]
) -> dict[str, str]:
    try:
        return kind.check_columns(source, options, also_mandatory)
    except MissingColumn as missing:
        if list(missing.fields) == list(also_mandatory):
            raise AccountsMissing(missing) from missing
        raise


def _mapping_for(
    kind: ImportKind, sources: Mapping[str, Sequence[Source]], options: ImportOptions
) -> list[tuple[str, str]]:
    """The ``--map`` pairs that fit a kind's files. A pair that fits no file is given to the orders, to be refused."""

    def fits(pair: tuple[str, str], candidate: ImportKind) -> bool:
        theirs, ours = pair
        return is_field(ours, candidate.fields) and any(theirs in source.names for source in sources[candidate.name])

    kinds = (PRODUCT_IMPORT, ACCOUNT_IMPORT, ORDER_IMPORT, EXCHANGE_RATE_IMPORT)
    return [
        pair
        for pair in options.mapping
        if fits(pair, kind) or (kind is ORDER_IMPORT and not any(fits(pair, other) for other in kinds))
    ]


def _read(
    runs: Mapping[str, Sequence[ImportRun]],
    options: ImportOptions,
    reporting_currency: str | None,
    now: datetime,
    zone: DayZone,
) -> History:
    products = _read_records(runs[PRODUCT_IMPORT.name], PRODUCT_RECORDS)
    accounts = _read_records(runs[ACCOUNT_IMPORT.name], ACCOUNT_RECORDS)
    described = list(products)
    matcher = ProductMatcher(set(products), lambda: described, options.unknown_products, options.match_products)
    is_indexed = len(runs[ORDER_IMPORT.name]) > 1
    orders, names = HistoryColumns(options.formats.zone, is_indexed=is_indexed), dict[str, str]()
    for run in runs[ORDER_IMPORT.name]:
        reader = OrderReader(run, matcher, now, orders.look_up, orders.count_by_year)
        for batch in reader.batches():
            orders.add(batch)
        orders.index()
        names |= reader.product_names
    for product_id in orders.product_ids:
        products.setdefault(product_id, {"name": names.get(product_id, product_id)})
    for account_id in orders.account_ids:
        accounts.setdefault(account_id, {})
    lines = orders.lines(len(runs[ORDER_IMPORT.name]))
    exchange = ExchangeOptions(reporting_currency, _read_rates(runs[EXCHANGE_RATE_IMPORT.name]))
    return build_history(lines, _products_table(products), _accounts_table(accounts), exchange, zone)


def _read_rates(runs: Sequence[ImportRun]) -> ExchangeRates:
    rates: dict[RateKey, float] = {}
    for run in runs:
        read_rates(run, rates)
    return ExchangeRates.from_rows(
        (key.base_currency, key.quote_currency, (key.valid_from - _EPOCH).days, rate) for key, rate in rates.items()
    )


def _read_records(runs: Sequence[ImportRun], kind: RecordImport) -> Records:
    records: Records = {}
    for run in runs:
        types = attribute_types_of(run)
        with closing(RecordSpool(kind.key, kind.times)) as spool:
            resolve = resolve_as_given(run)
            resolve = checked(LinkCheck(), resolve) if kind is PRODUCT_RECORDS else resolve
            fill_spool(spool, run, kind.row, resolve, types)
            run.summary.repeated += spool.repeated
            for batch in typed_batches(spool, types, _RECORDS_PER_BATCH):
                records |= {record[kind.key]: record for record in batch}
    return records


def _products_table(products: Records) -> pa.Table:
    types = {
        **dict.fromkeys(PRODUCT_TEXTS, pa.string()),
        **dict.fromkeys(PRODUCT_NUMBERS, pa.int64()),
        **dict.fromkeys(PRODUCT_FLAGS, pa.bool_()),
    }
    columns = {
        name: pa.array([record.get(name) for record in products.values()], type=column_type)
        for name, column_type in types.items()
    }
    return pa.table({"product_id": pa.array(products, type=pa.string()), **columns})


def _accounts_table(accounts: Records) -> pa.Table:
    records = accounts.values()
    return pa.table(
        {
            "account_id": pa.array(accounts, type=pa.string()),
            "is_strategic": pa.array([record.get("is_strategic", False) for record in records], type=pa.bool_()),
            "attributes": pa.array(
                [orjson.dumps(record.get("attributes", {})).decode() for record in records], type=pa.string()
            ),
        }
    )
