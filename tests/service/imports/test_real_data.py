"""Real dirty files: an online shop's invoices, and a CRM's export."""

from pathlib import Path

import pyarrow.parquet
import pytest
from sqlalchemy import Engine, func, select

from service.imports.importer import import_file
from service.orders.tables import Order, OrderLine
from service.rows.conditions import parse_condition
from service.rows.options import ImportOptions
from service.rows.summary import Counts
from tests.service.imports.support import database_state, read_rejects

pytestmark = [pytest.mark.data, pytest.mark.slow]

INVOICES = [
    ("invoice_no", "order_id"),
    ("stock_code", "product_id"),
    ("description", "product_name"),
    ("invoice_date", "ordered_at"),
    ("customer_id", "account_id"),
]
DEALS = [
    ("opportunity_id", "order_id"),
    ("account", "account_id"),
    ("product", "product_id"),
    ("close_date", "ordered_at"),
    ("close_value", "amount"),
]


def test_an_online_shops_invoices(engine: Engine, data_folder: Path) -> None:
    path = data_folder / "online_retail.parquet"
    raw = pyarrow.parquet.read_table(path).to_pylist()
    kept = [row for row in raw if row["stock_code"][:5].isdigit()]
    options = ImportOptions(INVOICES, [parse_condition("stock_code~^[0-9]{5}")], default_currency="GBP")

    summary = import_file(engine, "orders", [path], options)

    assert summary.rejected == 0
    assert summary.skipped == len(raw) - len(kept)
    assert summary.rows == Counts(new=len(kept))
    assert summary.orders == Counts(new=len({row["invoice_no"] for row in kept}))
    assert summary.product_stubs == len({row["stock_code"] for row in kept})
    with engine.connect() as connection:
        total, quantity = connection.execute(
            select(func.sum(OrderLine.amount_minor), func.sum(OrderLine.quantity))
        ).one()
        guests = connection.scalar(select(func.count()).where(Order.account_id.is_(None)).select_from(Order))
        returned = connection.scalar(select(func.count()).where(OrderLine.quantity < 0).select_from(OrderLine))
    assert total == sum(round(row["unit_price"] * 100) * row["quantity"] for row in kept)
    assert quantity == sum(row["quantity"] for row in kept)
    assert guests == len({row["invoice_no"] for row in kept if row["customer_id"] is None})
    assert returned == sum(row["quantity"] < 0 for row in kept)


def test_an_online_shops_bookkeeping_is_rejected_where_it_contradicts_itself(engine: Engine, data_folder: Path) -> None:
    options = ImportOptions(INVOICES, [parse_condition("stock_code!~^[0-9]{5}")], default_currency="GBP")

    summary = import_file(engine, "orders", [data_folder / "online_retail.parquet"], options)

    rejected = read_rejects(Path("online_retail.parquet.rejects.csv"))
    assert summary.rejected == len(rejected) == 2
    assert {(row["field"], "-11062.06" in row["row"]) for row in rejected} == {("unit_price", True)}


def test_a_crm_with_a_misspelt_product_and_deals_without_an_account(engine: Engine, data_folder: Path) -> None:
    deals = pyarrow.parquet.read_table(data_folder / "crm_sales_pipeline.parquet").to_pylist()
    won = [deal for deal in deals if deal["deal_stage"] == "Won"]
    products = [("product", "product_id"), ("series", "family"), ("sales_price", "price")]
    accounts = [("account", "account_id"), ("subsidiary_of", "parent_account_id"), ("sector", "attributes.sector")]
    import_file(
        engine, "products", [data_folder / "crm_products.parquet"], ImportOptions(products, default_currency="USD")
    )
    import_file(engine, "accounts", [data_folder / "crm_accounts.parquet"], ImportOptions(accounts))
    options = ImportOptions(DEALS, [parse_condition("deal_stage=Won")], default_currency="USD", match_products="names")

    summary = import_file(engine, "orders", [data_folder / "crm_sales_pipeline.parquet"], options)

    state = database_state(engine)
    assert (len(state["products"]), len(state["accounts"])) == (7, 85)
    assert summary.matched == {("GTXPro", "GTX Pro"): sum(deal["product"] == "GTXPro" for deal in won)}
    assert (summary.rejected, summary.product_stubs, summary.account_stubs) == (0, 0, 0)
    assert summary.orders == summary.rows == Counts(new=len(won))
    assert sum(row[4] for row in state["order_lines"]) == 100 * sum(deal["close_value"] for deal in won)


def test_open_deals_without_a_date_are_rejected_and_those_without_an_account_are_guests(
    engine: Engine, data_folder: Path
) -> None:
    deals = pyarrow.parquet.read_table(data_folder / "crm_sales_pipeline.parquet").to_pylist()

    summary = import_file(engine, "orders", [data_folder / "crm_sales_pipeline.parquet"], ImportOptions(DEALS))

    dated = [deal for deal in deals if deal["close_date"]]
    assert summary.rejected == len(deals) - len(dated)
    guests = [row for row in database_state(engine)["orders"] if row[1] is None]
    assert len(guests) == sum(not deal["account"] for deal in dated)
