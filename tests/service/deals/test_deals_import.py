"""Importing files of deals, on both databases: small ones, and a CRM's whole pipeline."""

import itertools
from collections import Counter
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from service.deals.live import open_deals
from service.imports.command import app
from service.imports.importer import import_file
from service.rows.errors import MissingColumn
from service.rows.options import ImportOptions
from service.rows.summary import Counts
from service.storage.changes import newest_sequence
from tests.service.deals.conftest import SUMMER, deal
from tests.service.imports.support import database_state, read_rejects, write_csv

MONDAY, TUESDAY = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
PIPELINE = [
    ("opportunity_id", "deal_id"),
    ("account", "account_id"),
    ("product", "product_id"),
    ("deal_stage", "stage"),
    ("close_value", "value"),
    ("engage_date", "opened_at"),
    ("close_date", "closed_at"),
]
CRM = ImportOptions(PIPELINE, default_currency="USD", match_products="names")


def test_a_file_of_deals_adds_stubs_and_counts_them(engine: Engine) -> None:
    rows = [deal("1"), deal("2", "Won", account_id="B", closed_at=SUMMER), deal("3", account_id="", product_id="q")]

    summary = import_file(engine, "deals", [write_csv(Path("deals.csv"), rows)])

    assert summary.rows == Counts(new=3)
    assert (summary.account_stubs, summary.product_stubs) == (2, 2)
    assert [row[:2] for row in database_state(engine)["orders"]] == [("deal:2", "B")]


def test_the_same_file_twice_changes_nothing_and_keeps_the_time(engine: Engine) -> None:
    rows = [
        deal("1", value="1.5", opened_at="2024-05-01T10:00:00.25+02:00", closed_at="", expected_close="2024-07-01"),
        deal("2", "Won", value="3", opened_at="", closed_at=SUMMER, expected_close=""),
        deal("1", value="1.5", opened_at="2024-05-01T08:00:00.25Z", closed_at="", expected_close="2024-07-01"),
    ]
    path = write_csv(Path("deals.csv"), rows)
    import_file(engine, "deals", [path], ImportOptions(batch_rows=1), clock=lambda: MONDAY)
    before = database_state(engine, with_times=True)
    with engine.connect() as connection:
        sequence = newest_sequence(connection)

    summary = import_file(engine, "deals", [path], ImportOptions(batch_rows=1), clock=lambda: TUESDAY)

    with engine.connect() as connection:
        assert newest_sequence(connection) == sequence > 0
    assert database_state(engine, with_times=True) == before
    assert summary.rows == Counts(unchanged=2)
    assert [line[:4] for line in before["deal_lines"]] == [("1", "p", 0, 1.0), ("1", "p", 1, 1.0), ("2", "p", 0, 1.0)]


def test_a_deal_that_a_later_file_lacks_stays(engine: Engine) -> None:
    import_file(engine, "deals", [write_csv(Path("a.csv"), [deal("1"), deal("2", "Won", closed_at=SUMMER)])])
    before = database_state(engine)

    import_file(engine, "deals", [write_csv(Path("b.csv"), [deal("3", "Lost")])])

    after = database_state(engine)
    assert after["deals"][:2] == before["deals"]
    assert after["orders"] == before["orders"]


def test_bad_rows_are_rejected_with_line_field_and_reason(engine: Engine) -> None:
    rows = [deal("1"), deal("2", "Closed Won"), deal("3", ""), deal("4", value="-5")]

    summary = import_file(engine, "deals", [write_csv(Path("deals.csv"), rows)])

    rejected = read_rejects(Path("deals.csv.rejects.csv"))
    assert (summary.rows, summary.rejected) == (Counts(new=1), 3)
    assert [(row["line"], row["field"]) for row in rejected] == [("3", "closed_at"), ("4", "stage"), ("5", "value")]
    assert rejected[0]["reason"] == "is empty, but the deal is won: an order needs the time at which it was"


@pytest.mark.parametrize("missing", [("deal_id",), ("product_id", "stage")])
def test_a_file_without_a_mandatory_column_is_refused(sqlite_engine: Engine, missing: tuple[str, ...]) -> None:
    row = {name: value for name, value in deal().items() if name not in missing}

    with pytest.raises(MissingColumn, match=missing[0]):
        import_file(sqlite_engine, "deals", [write_csv(Path("deals.csv"), [row])])


def test_a_default_currency_says_how_many_digits_a_value_has(engine: Engine) -> None:
    rows = [deal("1", value="12", currency=""), deal("2", value="12", currency="EUR"), deal("3", value="", currency="")]

    path = write_csv(Path("deals.csv"), rows)
    import_file(engine, "deals", [path], ImportOptions(default_currency="JPY"))

    state = database_state(engine)
    values = [line[-1] for line in state["deal_lines"]]
    assert (values, [row[5] for row in state["deals"]]) == ([12, 1200, None], ["JPY", "EUR", "JPY"])


def test_the_command_says_what_it_did(database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", database_url)
    import_file(engine, "products", [write_csv(Path("products.csv"), [{"product_id": "GTX Pro"}])])
    write_csv(Path("deals.csv"), [deal("1", product_id="GTXPro"), deal("2", product_id="Alpha"), deal("3", "Lost")])

    arguments = ["deals", "deals.csv", "--where", "stage=Engaging", "--match-products", "names"]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0, result.output
    assert "deals: 2 new, 0 changed, 0 unchanged" in result.output
    assert "GTXPro read as GTX Pro: 1 deals" in result.output
    assert "1 products added that nobody has described yet" in result.output
    assert "1 rows skipped by --where" in result.output


@pytest.fixture
def crm(engine: Engine, data_folder: Path) -> list[dict[str, Any]]:
    """Deals of a CRM whose accounts and products are imported already."""
    products = [("product", "product_id"), ("series", "family"), ("sales_price", "price")]
    accounts = [("account", "account_id"), ("subsidiary_of", "parent_account_id")]
    import_file(
        engine, "products", [data_folder / "crm_products.parquet"], ImportOptions(products, default_currency="USD")
    )
    import_file(engine, "accounts", [data_folder / "crm_accounts.parquet"], ImportOptions(accounts))
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(data_folder / "crm_sales_pipeline.parquet").to_pylist()
    return rows


@pytest.mark.data
def test_a_crms_whole_pipeline(engine: Engine, data_folder: Path, crm: list[dict[str, Any]]) -> None:
    won = [row for row in crm if row["deal_stage"] == "Won"]
    hoped = [row for row in crm if row["deal_stage"] in ("Prospecting", "Engaging")]

    summary = import_file(engine, "deals", [data_folder / "crm_sales_pipeline.parquet"], CRM)

    state = database_state(engine)
    assert (len(crm), len(won), len(hoped)) == (8800, 4238, 500 + 1589)
    assert summary.rows == Counts(new=8800)
    assert (summary.rejected, summary.account_stubs, summary.product_stubs) == (0, 0, 0)
    assert summary.matched == {("GTXPro", "GTX Pro"): sum(row["product"] == "GTXPro" for row in crm)}
    assert Counter(row[3] for row in state["deals"]) == {"won": 4238, "open": 500 + 1589, "lost": 2473}
    assert sum(row[1] is None for row in state["deals"]) == sum(not row["account"] for row in crm) == 1425
    assert {row[0] for row in state["orders"]} == {f"deal:{row['opportunity_id']}" for row in won}
    assert sum(row[4] for row in state["order_lines"]) == 100 * sum(row["close_value"] for row in won)
    with engine.connect() as connection:
        pipeline = open_deals(connection)
        trained = connection.execute(text("SELECT COUNT(*) FROM training_order_lines")).scalar()
    named = [row for row in hoped if row["account"]]
    assert {account_id: len(deals) for account_id, deals in pipeline.items()} == Counter(
        row["account"] for row in named
    )
    assert {open_deal.deal_id: open_deal.opened_at for open_deal in itertools.chain(*pipeline.values())} == {
        row["opportunity_id"]: row["engage_date"] and datetime.combine(row["engage_date"], time(), UTC) for row in named
    }
    assert trained == len(won)


@pytest.mark.data
def test_a_crms_pipeline_again_changes_nothing(engine: Engine, data_folder: Path, crm: list[dict[str, Any]]) -> None:
    import_file(engine, "deals", [data_folder / "crm_sales_pipeline.parquet"], CRM)
    before = database_state(engine, with_times=True)

    summary = import_file(engine, "deals", [data_folder / "crm_sales_pipeline.parquet"], CRM)

    assert summary.rows == Counts(unchanged=len(crm))
    assert database_state(engine, with_times=True) == before
