"""Lists as files: the same rows as the JSON, in types that a spreadsheet can sort, sum and print."""

import csv
import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.imports.importer import import_file
from service.server.app import create_app
from service.server.openapi import document
from service.storage.database import create_database_engine
from service.web import list_files, spreadsheets
from service.web.columns import Column, Kind, money, share, text, time
from service.web.spreadsheets import Table, TooLargeForSpreadsheet, Workbook, csv_of, workbook_of
from tests.shop import Shop

LISTS = {
    "/v1/accounts": "account_id",
    "/v1/accounts?segment=all.accounts": "account_id",
    "/v1/orders": "order_id",
    "/v1/products": "product_id",
    "/v1/deals": "deal_id",
    "/v1/segments/all.accounts/accounts": "account_id",
    "/v1/products/p-7/targets": "account_id",
    "/v1/accounts/do-not-pitch": "account_id",
    "/v1/whitespace/cells/line-1/all.accounts/accounts": "account_id",
    "/v1/accounts/a-1/whitespace": "row",
}


def all_items(client: TestClient, path: str) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    # The white space of an account is one page.
    cursor: dict[str, str] = {} if path.endswith("/whitespace") else {"limit": "100"}
    while True:
        page = client.get(path, params={**cursor, **query_of(path)}).json()
        items += page["items"]
        if not page.get("next_cursor"):
            return items
        cursor = {"limit": "100", "cursor": page["next_cursor"]}


def query_of(path: str) -> dict[str, str]:
    """The query that a path has already, which the client would otherwise replace."""
    return dict(pair.split("=") for pair in path.partition("?")[2].split("&") if pair)


def table_of(client: TestClient, path: str, **query: Any) -> list[dict[str, str]]:
    """A list as CSV."""
    answer = client.get(path, params={**query_of(path), **query, "format": "csv"})
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def store_something(client: TestClient) -> None:
    """Store what the lists of the shop lack."""
    client.post("/v1/accounts", json=[{"account_id": "a-1", "name": "=Müller, Söhne"}])
    deal = {"deal_id": "d", "account_id": "a-1", "product_id": "p-7", "stage": "new", "value": "12.50"}
    client.post("/v1/deals", json=[{**deal, "currency": "EUR", "expected_close": "2024-03-31"}])


def test_a_file_holds_the_whole_list_in_its_order(shop_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_files, "ROWS_AT_ONCE", 37)
    store_something(shop_client)

    for path, key in LISTS.items():
        rows, items = table_of(shop_client, path), all_items(shop_client, path)

        assert [row[key] for row in rows] == [item[key] for item in items], path
        assert rows, path


def test_a_row_says_what_the_item_says(shop_client: TestClient) -> None:
    store_something(shop_client)

    row = table_of(shop_client, "/v1/products/p-7/targets")[0]
    item = shop_client.get("/v1/products/p-7/targets?limit=1").json()["items"][0]
    deal = table_of(shop_client, "/v1/deals")[0]

    assert row["account_name"] == item["account_name"]
    assert float(row["propensity"]) == item["propensity"]
    assert round(float(row["expected_revenue"]) * 100) == item["expected_revenue_minor"]
    assert (row["currency"], row["product"]) == ("EUR", "Product 7")
    assert (deal["value"], deal["currency"], deal["account_name"]) == ("12.50", "EUR", "'=Müller, Söhne")
    assert (deal["expected_close"], deal["product_name"]) == ("2024-03-31", "Product 7")


@pytest.mark.parametrize(("kind", "path"), [("products", "/v1/products"), ("accounts", "/v1/accounts")])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_a_list_that_was_exported_can_be_imported(
    shop: Shop, shop_client: TestClient, tmp_path: Path, kind: str, path: str, file_format: str
) -> None:
    store_something(shop_client)
    file = tmp_path / f"list.{file_format}"
    file.write_bytes(shop_client.get(path, params={"format": file_format}).content)

    engine = create_database_engine(f"sqlite:///{shop.database}")
    summary = import_file(engine, kind, [file])
    engine.dispose()

    assert (summary.rejected, summary.rows.new, summary.rows.changed) == (0, 0, 0)
    assert summary.read > 20


def test_a_limit_holds_for_a_file_too(shop_client: TestClient) -> None:
    first = table_of(shop_client, "/v1/segments/all.accounts/accounts", limit=3)

    assert first == table_of(shop_client, "/v1/segments/all.accounts/accounts")[:3]


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/segments/all.accounts/accounts", "/v1/orders"])
def test_a_bad_cursor_is_refused_before_the_file_begins(shop_client: TestClient, path: str) -> None:
    answer = shop_client.get(path, params={"format": "csv", "cursor": "nope"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


def test_a_workbook_has_real_types_and_is_ready_to_print(shop_client: TestClient) -> None:
    store_something(shop_client)

    answer = shop_client.get("/v1/segments/all.accounts/accounts", params={"format": "xlsx"})

    assert 'filename="segment-all.accounts-2024-02-25.xlsx"' in answer.headers["content-disposition"]
    workbook = load_workbook(io.BytesIO(answer.content))
    sheet = workbook.worksheets[0]
    names = [cell.value for cell in sheet[1]]
    cells = dict(zip(names, sheet[2], strict=True))
    assert isinstance(cells["spend"].value, int | float)
    assert cells["spend"].number_format == "#,##0.00"
    assert cells["is_alive"].number_format == "0.0%"
    assert isinstance(cells["last_purchase_on"].value, datetime)
    assert cells["last_purchase_on"].number_format == "yyyy-mm-dd"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:I{sheet.max_row}"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"
    assert sheet["A1"].font.b
    assert sheet.column_dimensions["B"].width > sheet.column_dimensions["C"].width
    assert cells["account_name"].alignment.wrap_text
    about = {row[0].value: row[1].value for row in workbook["About"].iter_rows()}
    assert (about["segment"], about["as_of"]) == ("All accounts", "2024-02-25")


def test_a_workbook_that_would_be_too_large_is_refused_with_its_size(
    shop_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = len(table_of(shop_client, "/v1/segments/all.accounts/accounts"))
    monkeypatch.setattr(spreadsheets, "MAX_WORKBOOK_ROWS", n - 1)

    refused = shop_client.get("/v1/segments/all.accounts/accounts", params={"format": "xlsx"})
    narrowed = shop_client.get("/v1/segments/all.accounts/accounts", params={"format": "xlsx", "limit": 5})

    assert (refused.status_code, refused.json()["code"]) == (422, "too-large-for-spreadsheet")
    assert f"has {n:,} rows" in refused.json()["detail"]
    assert "format=csv" in refused.json()["detail"]
    assert narrowed.status_code == 200


def test_every_list_for_people_documents_its_files() -> None:
    paths = document(create_app(Settings()))["paths"]

    with_files = {
        operation["get"]["operationId"]
        for operation in paths.values()
        if "get" in operation and spreadsheets.XLSX_TYPE in operation["get"]["responses"]["200"].get("content", {})
    }

    assert with_files == {
        "list_accounts", "list_orders", "list_products", "list_deals", "list_segment_accounts", "list_targets",
        "list_do_not_pitch", "list_whitespace_accounts", "get_account_whitespace", "export_whitespace",
        "export_relationships",
    }  # fmt: skip


# --- the writers ------------------------------------------------------------------------------------------------------

COLUMNS = (text("name"), money("amount"), text("currency"), share("part"), time("at"), Column("flag", Kind.FLAG))


@pytest.mark.parametrize(
    ("currency", "minor", "shown", "number_format"),
    [
        ("EUR", -1250, "-12.50", "#,##0.00"),
        ("JPY", 1250, "1250", "#,##0"),
        ("KWD", 1250, "1.250", "#,##0.000"),
        (None, 5, "0.05", "#,##0.00"),
    ],
)
def test_money_is_in_major_units_of_its_currency(
    currency: str | None, minor: int, shown: str, number_format: str
) -> None:
    row = {"amount_minor": minor, "currency": currency}

    content = b"".join(csv_of(COLUMNS, [row])).decode("utf-8-sig")
    sheet = load_workbook(
        io.BytesIO(b"".join(workbook_of(Workbook((Table("T", COLUMNS, lambda: [row]),)))))
    ).worksheets[0]

    assert next(csv.DictReader(io.StringIO(content)))["amount"] == shown
    assert sheet["B2"].value == pytest.approx(float(shown))
    assert sheet["B2"].number_format == number_format


def test_values_of_every_type_are_written_as_they_are() -> None:
    row = {"name": "@x", "part": 0.25, "at": "2024-03-01T12:00:00Z", "flag": False}

    content = b"".join(csv_of(COLUMNS, [row])).decode("utf-8-sig")
    sheet = load_workbook(
        io.BytesIO(b"".join(workbook_of(Workbook((Table("T", COLUMNS, lambda: [row]),)))))
    ).worksheets[0]

    assert content.splitlines()[1] == "'@x,,,0.25,2024-03-01T12:00:00Z,false"
    assert [cell.value for cell in sheet[2]] == ["'@x", None, None, 0.25, datetime(2024, 3, 1, 12), False]  # noqa: DTZ001


def test_days_are_written_without_a_time() -> None:
    columns = (Column("a", Kind.DAY), Column("b", Kind.DAY))

    content = b"".join(csv_of(columns, [{"a": date(2024, 2, 29), "b": "2024-02-29"}]))

    assert content.decode("utf-8-sig").splitlines()[1] == "2024-02-29,2024-02-29"


def test_a_csv_is_written_while_its_rows_are_read() -> None:
    read: list[int] = []

    def rows() -> Any:
        for number in range(10_000):
            read.append(number)
            yield {"name": str(number)}

    parts = csv_of((text("name"),), rows())
    next(parts)

    assert len(read) < 1_000
    assert b"".join(parts).count(b"\r\n") == 10_000 - 500


def test_a_bound_that_is_too_high_does_not_refuse_a_workbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_WORKBOOK_ROWS", 2)

    def table(n: int) -> Workbook:
        return Workbook((Table("T", (text("name"),), lambda: ({"name": "x"} for _ in range(n)), at_most=9),))

    assert b"".join(workbook_of(table(2))).startswith(b"PK")
    with pytest.raises(TooLargeForSpreadsheet, match="has 9 rows"):
        workbook_of(table(3))


def test_the_file_of_products_says_what_they_are_to_others(shop_client: TestClient) -> None:
    product = {"product_id": "p-7", "is_merchandise": False, "parent_product_id": "p-8", "replaces": "p-9"}
    shop_client.post("/v1/products", json=[product])

    row = next(row for row in table_of(shop_client, "/v1/products") if row["product_id"] == "p-7")

    assert (row["is_merchandise"], row["parent_product_id"], row["replaces"]) == ("false", "p-8", "p-9")
