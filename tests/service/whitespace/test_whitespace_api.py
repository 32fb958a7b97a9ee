"""White space over HTTP: every figure against the orders in the database, counted by hand."""

import csv
import io
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from service.base.pagination import encode_cursor
from service.web.spreadsheets import XLSX_TYPE
from tests.shop import AS_OF, HORIZON_DAYS, N_ACCOUNTS, UNSOLD_LINE, Shop

WINDOW = timedelta(days=365)
LINES = """
    SELECT o.account_id, p.line, p.category, o.ordered_at, l.quantity, l.amount_minor, l.product_id
    FROM order_lines l JOIN orders o ON o.order_id = l.order_id JOIN products p ON p.product_id = l.product_id
"""


@pytest.fixture
def order_lines(shop: Shop) -> list[dict[str, Any]]:
    """All order lines, from the database."""
    engine = create_engine(f"sqlite:///{shop.database}")
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(text(LINES)).mappings()]
    engine.dispose()
    return rows


def owners_of(order_lines: list[dict[str, Any]], kind: str) -> dict[str, set[str]]:
    """Who owns something of each line or category: more was bought of one of its products than returned."""
    net: dict[tuple[str, str, str], float] = defaultdict(float)
    for line in order_lines:
        if line["account_id"] and line[kind]:
            net[line["account_id"], line[kind], line["product_id"]] += line["quantity"]
    owners: dict[str, set[str]] = defaultdict(set)
    for (account_id, name, _), quantity in net.items():
        if quantity > 0:
            owners[name].add(account_id)
    return owners


def members_of(client: TestClient, segment_id: str) -> set[str]:
    """Every account of a segment."""
    listed = client.get(f"/v1/segments/{segment_id}/accounts", params={"limit": 500}).json()
    assert listed["next_cursor"] is None
    return {item["account_id"] for item in listed["items"]}


@pytest.mark.parametrize(("rows", "column"), [("line", "line"), ("category", "category")])
def test_owners_and_penetration_are_those_of_the_orders(
    shop_client: TestClient, order_lines: list[dict[str, Any]], rows: str, column: str
) -> None:
    owners = owners_of(order_lines, column)

    matrix = shop_client.get("/v1/whitespace", params={"rows": rows, "columns": "rfm"}).json()

    assert [item["row"] for item in matrix["items"]] == sorted({line[column] for line in order_lines if line[column]})
    members = {segment["segment_id"]: members_of(shop_client, segment["segment_id"]) for segment in matrix["columns"]}
    for item in matrix["items"]:
        assert item["total"]["owners"] == len(owners[item["row"]])
        for cell in item["cells"]:
            n = len(members[cell["segment_id"]])
            assert cell["accounts"] == n
            assert cell["owners"] == len(owners[item["row"]] & members[cell["segment_id"]])
            assert cell["penetration"]["value"] == (pytest.approx(cell["owners"] / n, abs=1e-6) if n else None)


@pytest.mark.parametrize("family", ["rfm", "value-tier", "trend", "cluster", "strategic"])
def test_the_cells_of_a_row_and_what_is_in_none_add_up_to_its_total(shop_client: TestClient, family: str) -> None:
    matrix = shop_client.get("/v1/whitespace", params={"columns": family}).json()

    for item in matrix["items"]:
        for name in ("accounts", "owners", "revenue_minor"):
            parts = [cell[name] for cell in (*item["cells"], item["others"])]
            assert sum(parts) == item["total"][name], (item["row"], name)
        expected = [cell["expected_revenue"]["expected_minor"] for cell in (*item["cells"], item["others"])]
        assert sum(expected) == pytest.approx(item["total"]["expected_revenue"]["expected_minor"], abs=len(expected))


def test_totals_reconcile_to_the_orders(shop_client: TestClient, order_lines: list[dict[str, Any]]) -> None:
    begin = (AS_OF - WINDOW).replace(tzinfo=None)
    recent = [line for line in order_lines if line["account_id"] and line["ordered_at"] >= str(begin)]

    matrix = shop_client.get("/v1/whitespace").json()

    assert matrix["totals"]["accounts"] == N_ACCOUNTS
    assert matrix["totals"]["revenue_minor"] == sum(line["amount_minor"] for line in recent)
    assert matrix["totals"]["revenue_outside_minor"] == sum(line["amount_minor"] for line in recent if not line["line"])
    assert matrix["totals"]["revenue_outside_minor"] > 0
    for item in matrix["items"]:
        of_line = sum(line["amount_minor"] for line in recent if line["line"] == item["row"])
        assert item["total"]["revenue_minor"] == of_line


def test_adopters_are_counted_over_two_horizons(shop_client: TestClient, order_lines: list[dict[str, Any]]) -> None:
    first: dict[tuple[str, str], str] = {}
    for line in order_lines:
        if line["account_id"] and line["line"] and line["quantity"] > 0:
            key = line["account_id"], line["line"]
            first[key] = min(first.get(key, "9"), line["ordered_at"])
    ends = [str((AS_OF - timedelta(days=HORIZON_DAYS * back)).replace(tzinfo=None)) for back in (0, 1, 2)]

    matrix = shop_client.get("/v1/whitespace").json()

    for item in matrix["items"]:
        days = [ordered_at for (_, name), ordered_at in first.items() if name == item["row"]]
        trend = item["total"]["trend"]
        assert trend["days"] == HORIZON_DAYS
        assert trend["adopters"] == sum(ends[1] <= ordered_at < ends[0] for ordered_at in days)
        assert trend["adopters_before"] == sum(ends[2] <= ordered_at < ends[1] for ordered_at in days)


def test_headroom_is_measured_from_the_best_segment_that_is_large_enough(shop_client: TestClient) -> None:
    matrix = shop_client.get("/v1/whitespace", params={"columns": "value-tier"}).json()

    for item in matrix["items"]:
        large = [cell for cell in item["cells"] if cell["accounts"] >= 30]
        best = max(cell["owners"] / cell["accounts"] for cell in large)
        for cell in item["cells"]:
            assert cell["best_penetration"] == pytest.approx(best, abs=1e-6)
            assert cell["headroom_accounts"] == max(round(best * cell["accounts"]) - cell["owners"], 0)


def test_expected_revenue_is_the_sum_over_the_accounts_behind_the_cell(shop_client: TestClient) -> None:
    matrix = shop_client.get("/v1/whitespace", params={"columns": "value-tier"}).json()
    item = max(matrix["items"], key=lambda item: item["total"]["expected_revenue"]["expected_minor"])
    cell = item["cells"][0]

    url = f"/v1/whitespace/cells/{item['row']}/{cell['segment_id']}/accounts"
    behind = shop_client.get(url, params={"limit": 500}).json()["items"]

    assert len(behind) == cell["accounts"] - cell["owners"] == cell["expected_revenue"]["n"]
    assert sum(account["expected_minor"] for account in behind) == pytest.approx(
        cell["expected_revenue"]["expected_minor"], abs=len(behind)
    )
    assert sum(account["propensity"] for account in behind) == pytest.approx(cell["expected_buyers"], abs=0.01)
    worth = [account["expected_minor"] for account in behind]
    assert worth == sorted(worth, reverse=True)
    money = cell["expected_revenue"]
    assert money["low_minor"] <= money["expected_minor"] <= money["high_minor"]


def test_of_a_line_that_is_not_sold_any_more_nothing_is_expected(shop_client: TestClient) -> None:
    matrix = shop_client.get("/v1/whitespace").json()

    item = next(item for item in matrix["items"] if item["row"] == UNSOLD_LINE)
    assert not item["is_sold"]
    assert item["total"]["expected_revenue"] == {"expected_minor": 0, "low_minor": 0, "high_minor": 0} | {
        "n": item["total"]["accounts"] - item["total"]["owners"]
    }


def test_pages_of_a_cell_hold_everybody_once(shop_client: TestClient) -> None:
    url = "/v1/whitespace/cells/line-1/all.accounts/accounts"
    whole = shop_client.get(url, params={"limit": 500}).json()["items"]

    account_ids: list[str] = []
    cursor = None
    while True:
        page = shop_client.get(url, params={"limit": 7} | ({"cursor": cursor} if cursor else {})).json()
        account_ids += [account["account_id"] for account in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert account_ids == [account["account_id"] for account in whole]
    assert len(set(account_ids)) == len(account_ids)


def test_who_bought_since_or_objects_is_not_behind_a_cell_any_more(shop_client: TestClient) -> None:
    url = "/v1/whitespace/cells/line-1/all.accounts/accounts"
    buyer, objector, third = (account["account_id"] for account in shop_client.get(url).json()["items"][:3])

    line = {"product_id": "p-1", "quantity": 1, "amount_minor": 250}
    order = {
        "order_id": "new",
        "account_id": buyer,
        "ordered_at": AS_OF.isoformat(),
        "currency": "EUR",
        "lines": [line],
    }
    assert shop_client.post("/v1/orders", json=[order]).status_code == 200
    shop_client.put(f"/v1/accounts/{objector}/consent", json={"marketing": "objected"})

    assert shop_client.get(url).json()["items"][0]["account_id"] == third


def test_each_line_stands_once_for_an_account_with_its_status_and_reason(
    shop_client: TestClient, order_lines: list[dict[str, Any]]
) -> None:
    owners = owners_of(order_lines, "line")

    account_map = shop_client.get("/v1/accounts/a-3/whitespace").json()

    rows = [item["row"] for item in account_map["items"]]
    assert sorted(rows) == sorted({line["line"] for line in order_lines if line["line"]})
    for item in account_map["items"]:
        is_owned = "a-3" in owners[item["row"]]
        wanted = "owned" if is_owned else "not_eligible" if item["row"] == UNSOLD_LINE else "gap"
        assert item["status"] == wanted
        assert (item["propensity"] is not None) == (wanted == "gap")
        assert item["reason"]
        if item["propensity"] is not None:
            assert 0 < item["propensity"] < 1


def test_a_deal_moves_a_gap_into_the_pipeline_and_winning_it_into_what_is_owned(shop_client: TestClient) -> None:
    items = shop_client.get("/v1/accounts/a-3/whitespace").json()["items"]
    gap = next(item["row"] for item in items if item["status"] == "gap")
    product = f"p-{int(gap.removeprefix('line-')) + 12}"
    deal = {"deal_id": "d-1", "account_id": "a-3", "product_id": product, "value_minor": 90_000, "currency": "EUR"}

    shop_client.post("/v1/deals", json=[deal | {"stage": "Engaging"}])
    in_pipeline = status_of(shop_client, "a-3", gap)
    shop_client.post("/v1/deals", json=[deal | {"stage": "Won", "closed_at": AS_OF.isoformat()}])
    won = status_of(shop_client, "a-3", gap)

    assert in_pipeline["status"] == "pipeline"
    assert in_pipeline["reason"] == f"Open: deal d-1 on {product} (Engaging, 900.00 EUR)."
    assert won["status"] == "owned"


def status_of(client: TestClient, account_id: str, row: str) -> dict[str, Any]:
    """How an account stands to one line."""
    items = client.get(f"/v1/accounts/{account_id}/whitespace").json()["items"]
    line: dict[str, Any] = next(item for item in items if item["row"] == row)
    return line


def test_an_account_that_objects_is_eligible_for_nothing_new(shop_client: TestClient) -> None:
    shop_client.put("/v1/accounts/a-3/consent", json={"marketing": "objected"})

    items = shop_client.get("/v1/accounts/a-3/whitespace").json()["items"]

    assert {item["status"] for item in items} == {"owned", "not_eligible"}


def test_an_account_that_is_new_since_the_training_has_the_average_chance(shop_client: TestClient) -> None:
    shop_client.post("/v1/accounts", json=[{"account_id": "newcomer"}])

    items = shop_client.get("/v1/accounts/newcomer/whitespace").json()["items"]

    assert {item["status"] for item in items} == {"gap", "not_eligible"}
    for item in items:
        if item["status"] == "gap":
            assert 0 < item["propensity"] < 1
            assert "of all accounts own something of it" in item["reason"]


def test_a_segment_of_a_rule_is_a_column_that_is_counted_when_it_changes(
    shop_client: TestClient, order_lines: list[dict[str, Any]]
) -> None:
    rule = {"attribute": "sort", "op": "eq", "value": "b"}
    shop_client.post("/v1/segments", json={"name": "Sort b", "rule": rule})

    matrix = shop_client.get("/v1/whitespace", params={"columns": "custom"}).json()

    owners = owners_of(order_lines, "line")
    members = {f"a-{number}" for number in range(1, N_ACCOUNTS, 2)}
    for item in matrix["items"]:
        (cell,) = item["cells"]
        assert item["others"] is None
        assert cell["owners"] == len(owners[item["row"]] & members)
        assert cell["accounts"] == len(members)


def test_accounts_that_are_new_since_the_training_make_no_figure_of_the_map_impossible(shop_client: TestClient) -> None:
    newcomers = [{"account_id": f"new-{number}", "is_strategic": True} for number in range(N_ACCOUNTS + 50)]
    shop_client.post("/v1/accounts", json=[*newcomers, {"account_id": "a-1", "is_strategic": True}])

    matrix = shop_client.get("/v1/whitespace", params={"columns": "strategic"}).json()
    segment = shop_client.get("/v1/segments/strategic.accounts").json()

    assert [column["accounts"] for column in matrix["columns"]] == [1]
    for item in matrix["items"]:
        for cell in (*item["cells"], item["others"]):
            assert 0 <= cell["owners"] <= cell["accounts"]
            assert 0 <= cell["expected_revenue"]["n"] <= cell["accounts"]
    assert segment["size"] == N_ACCOUNTS + 51
    assert segment["share_of_accounts"] == pytest.approx((N_ACCOUNTS + 51) / (2 * N_ACCOUNTS + 50), abs=1e-6)


def test_nobody_is_behind_a_cell_of_what_is_not_sold_any_more(shop_client: TestClient) -> None:
    page = shop_client.get(f"/v1/whitespace/cells/{UNSOLD_LINE}/all.accounts/accounts").json()

    assert (page["items"], page["next_cursor"]) == ([], None)


def test_a_crafted_cursor_is_refused(shop_client: TestClient) -> None:
    url = "/v1/whitespace/cells/line-1/all.accounts/accounts"
    version = shop_client.get(url, params={"limit": 1}).json()["artifact_version"]
    tag = ["cell", version, "line", "line-1", "all.accounts"]

    for position in (True, -1, 1.5, None, "x"):
        answer = shop_client.get(url, params={"cursor": encode_cursor(tag, position)})
        assert answer.json()["code"] == "invalid-cursor", position


def test_pages_of_a_rule_s_segment_skip_nobody_when_accounts_of_an_earlier_one_leave(shop_client: TestClient) -> None:
    rule = {"attribute": "sort", "op": "eq", "value": "b"}
    shop_client.post("/v1/segments", json={"name": "Sort b", "rule": rule})
    url = "/v1/segments/custom.sort-b/accounts"
    whole = [account["account_id"] for account in shop_client.get(url, params={"limit": 500}).json()["items"]]
    page = shop_client.get(url, params={"limit": 5}).json()

    left = [{"account_id": account_id, "attributes": {"sort": "a"}} for account_id in whole[:3]]
    shop_client.post("/v1/accounts", json=left)
    rest = shop_client.get(url, params={"limit": 500, "cursor": page["next_cursor"]}).json()["items"]

    assert [account["account_id"] for account in rest] == whole[5:]


def test_what_did_not_change_is_not_sent_again(shop_client: TestClient) -> None:
    for url in ("/v1/whitespace", "/v1/accounts/a-3/whitespace", "/v1/whitespace/cells/line-1/all.accounts/accounts"):
        first = shop_client.get(url)

        again = shop_client.get(url, headers={"If-None-Match": first.headers["etag"]})

        assert (first.status_code, again.status_code) == (200, 304), url


def test_the_export_holds_a_row_for_each_cell(shop_client: TestClient) -> None:
    matrix = shop_client.get("/v1/whitespace").json()

    exported = shop_client.get("/v1/whitespace/export")
    workbook = shop_client.get("/v1/whitespace/export", params={"format": "xlsx"})

    rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert len(rows) == sum(len(item["cells"]) + 1 for item in matrix["items"])
    cell = matrix["items"][0]["cells"][0]
    assert (rows[0]["row"], rows[0]["segment_id"]) == (matrix["items"][0]["row"], cell["segment_id"])
    assert int(rows[0]["owners"]) == cell["owners"]
    assert round(float(rows[0]["revenue"]) * 100) == cell["revenue_minor"]
    assert workbook.headers["content-type"] == XLSX_TYPE
    sheets = load_workbook(io.BytesIO(workbook.content))
    assert sheets.sheetnames == ["Expected revenue", "Penetration", "Data", "About"]
    assert sheets["Data"].max_row == len(rows) + 1


def test_the_matrices_hold_the_figures_of_the_map(shop_client: TestClient) -> None:
    matrix = shop_client.get("/v1/whitespace").json()

    content = shop_client.get("/v1/whitespace/export", params={"format": "xlsx"}).content

    workbook = load_workbook(io.BytesIO(content))
    revenue, penetration = workbook["Expected revenue"], workbook["Penetration"]
    assert [cell.value for cell in revenue[1]] == [
        "row", *(column["name"] for column in matrix["columns"]), "None of these", "All accounts", "currency"
    ]  # fmt: skip
    for place, item in enumerate(matrix["items"]):
        cells = [*item["cells"], item["others"], item["total"]]
        assert [cell.value for cell in revenue[place + 2]][1:-1] == [
            pytest.approx(cell["expected_revenue"]["expected_minor"] / 100) for cell in cells
        ]
        assert [cell.value for cell in penetration[place + 2]][1:] == [cell["penetration"]["value"] for cell in cells]
    assert (revenue["B2"].number_format, penetration["B2"].number_format) == ("#,##0.00", "0.0%")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/v1/whitespace?columns=nope", "unknown-family"),
        ("/v1/whitespace?rows=nope", "request-invalid"),
        ("/v1/whitespace/cells/nope/all.accounts/accounts", "unknown-row"),
        ("/v1/whitespace/cells/line-1/nope/accounts", "unknown-segment"),
        ("/v1/whitespace/cells/line-1/all.accounts/accounts?cursor=nope", "invalid-cursor"),
        ("/v1/accounts/nobody/whitespace", "unknown-account"),
    ],
)
def test_what_is_not_there_is_named(shop_client: TestClient, url: str, code: str) -> None:
    answer = shop_client.get(url)

    assert answer.json()["code"] == code
