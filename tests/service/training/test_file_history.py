"""Training from files learns what training from the database learns once the same files are imported."""

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from models.artifact import NO_NUMBER
from models.data.errors import HistoryInvalid
from models.data.history import History
from models.data.sources.local import history_from_database
from service.imports.importer import import_file
from service.rows.conditions import parse_condition
from service.rows.errors import InvalidImportOption, MissingColumn, UnreadableFile
from service.rows.options import ImportOptions
from service.rows.order_options import OnConflict, OrderOptions
from service.training.errors import RowsRejected
from service.training.file_history import HistoryFiles, history_from_files
from tests.service.imports.support import Rows, read_rejects, write_csv, write_ndjson, write_parquet

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def line(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "o1",
        "account_id": "a1",
        "product_id": "p1",
        "ordered_at": "2024-02-29T12:00:00Z",
        "quantity": "1",
        "amount": "5",
        "currency": "EUR",
        "status": "placed",
        "product_name": "Pen",
        **changes,
    }


LINES = [
    line(),
    line(product_id="p2", quantity="2", amount="3.335", product_name=""),
    line(product_id="p2", quantity="1", amount="", product_name="Pot"),
    line(order_id="o2", status="Cancelled", account_id="a2", product_id="p3"),
    line(order_id="o3", status="canceled", account_id="a1"),
    line(order_id="o4", account_id="a3", quantity="-1", amount="5", ordered_at="2024-03-01"),
    line(order_id="o5", account_id="", ordered_at="2024-03-02T01:00:00+02:00"),
    line(order_id="o6", account_id="a3", product_id="P 1", ordered_at="1709164800", currency="JPY", amount="100"),
    line(order_id="o1", account_id="", product_id="p4"),
]


def write_semicolons(path: Path, rows: Rows) -> Path:
    return write_csv(path, rows, delimiter=";")


def write_workbook(path: Path, rows: Rows) -> Path:
    workbook = Workbook()
    sheet: Any = workbook.active
    for row in (list(rows[0]), *(list(row.values()) for row in rows)):
        sheet.append(row)
    workbook.save(path)
    return path


FORMATS: list[tuple[str, Callable[[Path, Rows], Path]]] = [
    ("lines.csv", write_csv),
    ("semicolons.csv", write_semicolons),
    ("lines.csv.gz", write_csv),
    ("lines.ndjson", write_ndjson),
    ("lines.ndjson.gz", write_ndjson),
    ("lines.parquet", write_parquet),
    ("lines.xlsx", write_workbook),
]


def from_database(engine: Engine) -> History:
    return history_from_database(engine.url.render_as_string(hide_password=False))


def assert_same(history: History, expected: History) -> None:
    assert history.fingerprint == expected.fingerprint
    for name in ("account", "product", "order", "time", "quantity", "amount_minor", "account_ids", "product_ids"):
        assert getattr(history.interactions, name).tolist() == getattr(expected.interactions, name).tolist(), name
    for name in ("names", "lines", "categories", "families", "currencies"):
        assert list(getattr(history.products, name)) == list(getattr(expected.products, name)), name
    for name in ("tiers", "prices_minor", "margins_minor", "is_active"):
        assert getattr(history.products, name).tolist() == getattr(expected.products, name).tolist(), name
    assert history.accounts.is_strategic.tolist() == expected.accounts.is_strategic.tolist()
    attributes = {name: values.tolist() for name, values in history.accounts.attributes.items()}
    assert attributes == {name: values.tolist() for name, values in expected.accounts.attributes.items()}


def read(*paths: Path, **options: Any) -> History:
    return history_from_files(HistoryFiles(paths), ImportOptions(**{"max_rejects": 0, **options}))


@pytest.mark.parametrize(("name", "write"), FORMATS)
def test_a_file_of_any_format_teaches_what_it_teaches_once_imported(
    name: str, write: Callable[[Path, Rows], Path], engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / name, LINES)
    import_file(engine, "orders", [path])

    history = read(path)

    assert_same(history, from_database(engine))
    assert set(history.interactions.account_ids) == {"a1", "a2", "a3"}


@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_mapped_columns_conditions_and_currencies_teach_what_they_teach_once_imported(
    batch_rows: int, sqlite_engine: Engine, tmp_path: Path
) -> None:
    names = {"order_id": "invoice", "account_id": "customer", "ordered_at": "day", "amount": "price"}
    rows = [{names.get(name, name): value for name, value in row.items() if name != "currency"} for row in LINES]
    options = ImportOptions(
        mapping=[("invoice", "order_id"), ("customer", "account_id"), ("day", "ordered_at"), ("price", "unit_price")],
        where=[parse_condition("invoice!=o4")],
        default_currency="KWD",
        batch_rows=batch_rows,
        max_rejects=0,
    )
    path = write_csv(tmp_path / "lines.csv", rows)
    import_file(sqlite_engine, "orders", [path], options)

    history = history_from_files(HistoryFiles([path]), options)

    assert_same(history, from_database(sqlite_engine))
    assert 3335 * 2 in history.interactions.amount_minor


def test_products_and_accounts_are_described_as_an_import_describes_them(engine: Engine, tmp_path: Path) -> None:
    products = write_csv(
        tmp_path / "products.csv",
        [
            {"product_id": "p1", "name": "Yacht", "family": "boats", "tier": "3", "price": "9.99", "active": "no"},
            {"product_id": "p1", "name": "", "family": "boats", "tier": "4", "price": "8", "active": "no"},
            {"product_id": "z", "name": "Zebra", "family": "", "tier": "", "price": "", "active": "yes"},
        ],
    )
    accounts = write_csv(
        tmp_path / "accounts.csv",
        [
            {"account_id": "a1", "is_strategic": "yes", "sector": "medical", "size": "12"},
            {"account_id": "prospect", "is_strategic": "", "sector": "", "size": ""},
        ],
    )
    orders = write_csv(tmp_path / "lines.csv", LINES)
    import_file(engine, "products", [products], ImportOptions(default_currency="EUR"))
    mapping = [("sector", "attributes.sector")]
    import_file(engine, "accounts", [accounts], ImportOptions(mapping))
    import_file(engine, "orders", [orders], ImportOptions(match_products="names"))
    notes: list[str] = []

    history = history_from_files(
        HistoryFiles([orders], products, accounts),
        ImportOptions(mapping, default_currency="EUR", max_rejects=0, match_products="names"),
        note=notes.append,
    )

    assert_same(history, from_database(engine))
    row_of = {product_id: row for row, product_id in enumerate(history.interactions.product_ids)}
    assert "P 1" not in row_of, "spelt almost like a known product"
    assert [history.products.names[row_of[each]] for each in ("p1", "p2", "p3", "z")] == ["p1", "Pot", "Pen", "Zebra"]
    assert [int(history.products.tiers[row_of[each]]) for each in ("p1", "z")] == [4, NO_NUMBER]
    assert [int(history.products.prices_minor[row_of[each]]) for each in ("p1", "z")] == [800, NO_NUMBER]
    assert "accounts.csv: ignored columns size" in notes
    assert "P 1 read as p1: 1 rows" in notes


def test_a_later_file_replaces_the_orders_and_lines_that_it_repeats(sqlite_engine: Engine, tmp_path: Path) -> None:
    first = write_csv(tmp_path / "first.csv", LINES)
    later = [line(quantity="7"), line(order_id="o4", status="cancelled"), line(order_id="o7"), line(order_id="o2")]
    paths = [first, write_csv(tmp_path / "later.csv", later)]
    replaced = OrderOptions(on_conflict="replace")
    import_file(sqlite_engine, "orders", paths, ImportOptions(orders=replaced))

    history = read(*paths, orders=replaced)

    assert_same(history, from_database(sqlite_engine))
    assert 7 in history.interactions.quantity


@pytest.mark.parametrize("mode", ["refuse", "keep"])
def test_later_files_that_contradict_earlier_ones_teach_what_they_teach_once_imported(
    sqlite_engine: Engine, tmp_path: Path, mode: OnConflict
) -> None:
    later = [line(quantity="7", account_id=""), line(order_id="o4", ordered_at="2024-05-01"), line(order_id="o7")]
    guest = [line(order_id="o5", ordered_at="2024-03-01T23:30:00Z"), line(order_id="o2", account_id="a9")]
    paths = [write_csv(tmp_path / f"{number}.csv", rows) for number, rows in enumerate((LINES, later, guest))]
    options: dict[str, Any] = {"orders": OrderOptions(on_conflict=mode), "max_rejects": 2}
    import_file(sqlite_engine, "orders", paths, ImportOptions(rejects=tmp_path / "bad.csv", **options))

    history = read(*paths, **options)

    assert_same(history, from_database(sqlite_engine))


def test_a_later_file_may_follow_decades_of_earlier_ones_but_for_single_orders(tmp_path: Path) -> None:
    first = [line(order_id=f"o{number}") for number in range(10)]
    paths = [write_csv(tmp_path / "1.csv", first), write_csv(tmp_path / "2.csv", [line(ordered_at="2001-01-01")])]

    history = read(*paths, max_rejects=1)

    assert history.interactions.order_count == 10


def test_cancelled_orders_are_not_learned(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "lines.csv", [line(), line(order_id="o2", product_id="p2", status="cancelled")])

    history = read(path)

    learned = history.interactions.product_ids[history.interactions.product]
    assert learned.tolist() == ["p1"]


@pytest.mark.parametrize(
    "times",
    [
        ["2024-02-29", "2024-03-01"],
        ["2024-02-29 00:00:00", "2024-03-01T00:00:00"],
        ["2024-02-29T01:00:00+01:00", "2024-03-01T00:00:00Z"],
        [date(2024, 2, 29), date(2024, 3, 1)],
        [datetime(2024, 2, 29), datetime(2024, 3, 1)],  # noqa: DTZ001
        [datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)],
        [1709164800, 1709251200],
        ["1709164800", "1709251200"],
    ],
)
def test_every_accepted_form_of_time_means_the_same_second(times: Sequence[Any], tmp_path: Path) -> None:
    rows = [line(order_id=str(number), ordered_at=time) for number, time in enumerate(times)]

    history = read(write_parquet(tmp_path / "lines.parquet", rows))

    assert history.interactions.time.tolist() == [1709164800, 1709251200]


def test_numbers_are_accepted_as_identifiers_in_their_decimal_form(tmp_path: Path) -> None:
    rows = [line(account_id=17850.0, product_id=85123), line(order_id="o2", account_id=None, product_id=7)]

    history = read(write_parquet(tmp_path / "lines.parquet", rows))

    assert history.interactions.account_ids.tolist() == ["17850"]
    assert set(history.interactions.product_ids) == {"85123", "7"}


def test_quantity_and_amount_may_be_absent(tmp_path: Path) -> None:
    row = {name: line()[name] for name in ("account_id", "order_id", "product_id", "ordered_at")}

    history = read(write_csv(tmp_path / "lines.csv", [row]))

    assert history.interactions.quantity.tolist() == [1]
    assert history.interactions.amount_minor.tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"product_id": ""}, "product_id is empty"),
        ({"order_id": ""}, "order_id is empty"),
        ({"ordered_at": "yesterday"}, "ordered_at is not an ISO 8601 date or time"),
        ({"quantity": "many"}, "quantity is not a number: 'many'"),
        ({"quantity": "nan"}, "quantity is not a finite number"),
        ({"amount": "1e300"}, "amount is out of range"),
        ({"account_id": "a2"}, "account_id is 'a2', but 'a1' in an earlier row of the same order"),
    ],
)
def test_a_bad_row_is_reported_with_its_file_line_and_field(
    changes: dict[str, str], reason: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "lines.csv", [line(), line(**changes)])

    with pytest.raises(RowsRejected) as raised:
        read(path)

    assert f"{path}, line 3: {reason}" in str(raised.value)
    assert "--max-rejects" in str(raised.value)


def test_only_the_first_bad_rows_are_listed_and_all_are_written_where_asked(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "lines.csv", [line(), *(line(quantity="x") for _ in range(12))])

    with pytest.raises(RowsRejected) as raised:
        read(path, rejects=tmp_path / "bad.csv")

    assert str(raised.value).count(str(path)) == 10
    assert len(read_rejects(tmp_path / "bad.csv")) == 12


def test_bad_rows_are_left_out_where_that_is_allowed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "lines.csv", [line(), line(quantity="x"), line(order_id="o2")])
    notes: list[str] = []

    history = history_from_files(HistoryFiles([path]), ImportOptions(max_rejects=1), note=notes.append)

    assert history.interactions.n_lines == 2
    assert notes == [
        f"1 invalid rows were left out. The first of them:\n  {path}, line 3: quantity is not a number: 'x'"
    ]


def test_a_bad_product_is_reported_too(tmp_path: Path) -> None:
    products = write_csv(tmp_path / "products.csv", [{"product_id": "p1", "tier": "top"}])

    with pytest.raises(RowsRejected, match=r"products\.csv, line 2: tier is not a number"):
        history_from_files(HistoryFiles([write_csv(tmp_path / "lines.csv", [line()])], products))


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    row = {name: value for name, value in line().items() if name not in ("product_id", "account_id")}

    with pytest.raises(MissingColumn, match=r"no column for product_id, account_id\. .*--map account=account_id"):
        read(write_csv(tmp_path / "lines.csv", [{**row, "code": "p1", "account": "a1"}]))


def test_a_mapping_that_fits_no_file_is_refused_as_an_import_refuses_it(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "lines.csv", [line()])
    products = write_csv(tmp_path / "products.csv", [{"sku": "p1", "name": "Pen"}])

    with pytest.raises(InvalidImportOption, match=r"lines\.csv: --map colour=line: the file has no column colour"):
        history_from_files(HistoryFiles([orders], products), ImportOptions([("sku", "product_id"), ("colour", "line")]))


def test_an_empty_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("account_id,order_id,product_id,ordered_at\n")

    with pytest.raises(HistoryInvalid, match="nothing to learn from"):
        read(path)


@pytest.mark.parametrize("content", [b"PAR1 and then rubbish", gzip.compress(json.dumps(line()).encode())[:-9]])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(content)

    with pytest.raises(UnreadableFile, match="broken"):
        read(tmp_path / "broken")


def test_the_training_views_exported_as_files_train_like_the_database(engine: Engine, tmp_path: Path) -> None:
    products = write_csv(tmp_path / "products.csv", [{"product_id": "p1", "price": "2", "active": "no"}])
    import_file(engine, "products", [products])
    import_file(engine, "orders", [write_csv(tmp_path / "lines.csv", LINES)])
    files = {}
    for view in ("training_order_lines", "training_products", "training_accounts"):
        with engine.connect() as connection:
            rows = [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {view}").mappings()]
        for row in rows:
            attributes = row.get("attributes")
            row |= {"attributes": json.dumps(attributes)} if isinstance(attributes, dict) else {}
        files[view] = write_csv(tmp_path / f"{view}.csv", rows)

    history = history_from_files(HistoryFiles([files.pop("training_order_lines")], *files.values()))

    assert_same(history, from_database(engine))
    row_of = {product_id: row for row, product_id in enumerate(history.interactions.product_ids)}
    assert not history.products.is_active[row_of["p1"]]
    assert np.issubdtype(history.products.prices_minor.dtype, np.int64)


def test_a_large_parquet_file_is_read_whole(tmp_path: Path) -> None:
    rows = 120_000
    table = pa.table(
        {
            "account_id": [f"a{number % 7}" for number in range(rows)],
            "order_id": [str(number // 3) for number in range(rows)],
            "product_id": [str(number % 11) for number in range(rows)],
            "ordered_at": [NOON] * rows,
        }
    )
    table = table.set_column(0, "account_id", pa.array([f"a{number // 3 % 7}" for number in range(rows)]))
    pyarrow.parquet.write_table(table, tmp_path / "lines.parquet")

    history = read(tmp_path / "lines.parquet")

    assert history.interactions.n_lines == rows
    assert history.interactions.order_count == rows // 3
