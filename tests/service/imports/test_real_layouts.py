"""Exports as real systems write them go in at the first try, or are refused with what to do."""

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from service.catalogue.tables import Product
from service.imports.importer import import_file
from service.imports.mapping_file import MappingFile, options_of, preset_names, read_mapping_file, read_preset
from service.imports.report import share_line, summary_lines
from service.rows.errors import InvalidImportOption, MissingColumn
from service.rows.options import ImportOptions, parse_value_maps
from service.rows.summary import ImportSummary
from service.rows.value_formats import FormatOptions, parse_date_formats, parse_decimal_sign, parse_zone
from tests.service.imports.support import database_state, read_rejects, write_csv

SHOPIFY = """Name,Email,Financial Status,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1,ann@example.com,paid,EUR,2026-01-03 09:15:00 +0100,1,Fern print,24.00,FERN
#1,,,,,2,Mug,25.00,
#2,bob@example.com,refunded,EUR,2026-01-04 09:15:00 +0100,1,Mug,25.00,MUG
"""
WOO = """order_number,customer_id,date,status,order_currency,line_items
7,12,2026-01-03 09:15:00,completed,EUR,"id:1|name:Salt; fine|sku:SALT|quantity:2|total:5.00;id:2|sku:PAN|total:30"
8,0,2026-01-04 10:00:00,failed,EUR,"id:3|name:Pan|sku:PAN|quantity:1|total:30"
"""
MAGENTO = """increment_id,customer_id,created_at,status,order_currency_code,parent_item_id,sku,name,qty_ordered,price
100,5,2026-01-03 09:15:00,complete,EUR,,TEE-RED,Shirt,1,20
100,5,2026-01-03 09:15:00,complete,EUR,1,TEE-RED,Shirt red,1,0
101,6,2026-01-03 09:15:00,canceled,EUR,,MUG,Mug,2,9
"""
STRIPE = {
    "id": "in_1",
    "customer": "cus_1",
    "created": 1767431700,
    "currency": "usd",
    "status": "paid",
    "lines": {
        "data": [
            {"amount": 1035, "quantity": 1, "description": "Seat", "price": {"id": "pr_1", "product": "prod_1"}},
            {"amount": 500, "quantity": 2, "description": "Support", "price": {"id": "pr_2", "product": "prod_2"}},
        ]
    },
}
GA4 = [
    {
        "event_name": "purchase",
        "event_timestamp": 1767431700000000,
        "user_pseudo_id": "1.2",
        "ecommerce": {"transaction_id": "T1"},
        "items": [{"item_id": "A", "item_name": "Salt", "quantity": 2, "price": 2.5, "currency": None}],
    },
    {"event_name": "page_view", "event_timestamp": 1767431700000001, "user_pseudo_id": "1.2", "items": []},
]


def import_text(engine: Engine, kind: str, text: str, options: ImportOptions, name: str = "file.csv") -> ImportSummary:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return import_file(engine, kind, [path], options)


def import_preset(engine: Engine, preset: str, text: str, name: str = "file.csv", **options: Any) -> ImportSummary:
    given = options_of(MappingFile(**options), read_preset(preset, "orders"), [])
    return import_text(engine, "orders", text, given, name)


def stored_lines(engine: Engine) -> list[tuple[Any, ...]]:
    """order_id, product_id, quantity, amount_minor"""
    return [(row[0], row[1], row[3], row[4]) for row in database_state(engine)["order_lines"]]


def test_shopifys_export_says_once_what_an_orders_rows_share(engine: Engine) -> None:
    import_preset(engine, "shopify", SHOPIFY)

    assert stored_lines(engine) == [("#1", "FERN", 1.0, 2400), ("#1", "Mug", 2.0, 5000), ("#2", "MUG", 1.0, 2500)]
    orders = database_state(engine)["orders"]
    assert [(row[0], row[1], row[3], row[4]) for row in orders] == [
        ("#1", "ann@example.com", "EUR", False),
        ("#2", "bob@example.com", "EUR", True),
    ]
    assert orders[0][2] == datetime(2026, 1, 3, 8, 15, tzinfo=UTC)


def test_woocommerces_packed_items_become_lines(engine: Engine) -> None:
    import_preset(engine, "woocommerce", WOO)

    assert stored_lines(engine) == [("7", "PAN", 1.0, 3000), ("7", "SALT", 2.0, 500), ("8", "PAN", 1.0, 3000)]
    assert [row[4] for row in database_state(engine)["orders"]] == [False, True]


def test_magentos_configurable_products_count_once(engine: Engine) -> None:
    summary = import_preset(engine, "magento", MAGENTO)

    assert stored_lines(engine) == [("100", "TEE-RED", 1.0, 2000), ("101", "MUG", 2.0, 1800)]
    assert summary.skipped == 1


def test_stripes_invoices_hold_their_lines(engine: Engine) -> None:
    import_preset(engine, "stripe", json.dumps(STRIPE) + "\n", "file.ndjson")

    assert stored_lines(engine) == [("in_1", "prod_1", 1.0, 1035), ("in_1", "prod_2", 2.0, 500)]
    assert database_state(engine)["orders"][0][1:3] == ("cus_1", datetime.fromtimestamp(1767431700, UTC))


def test_analytics_purchases_are_read_and_other_events_skipped(engine: Engine) -> None:
    text = "".join(json.dumps(event) + "\n" for event in GA4)

    summary = import_preset(engine, "ga4", text, "file.ndjson", default_currency="EUR")

    assert stored_lines(engine) == [("T1", "A", 2.0, 500)]
    assert summary.skipped == 1


def test_every_preset_is_valid_and_an_unknown_one_names_those_that_exist() -> None:
    for kind in ("orders", "products", "accounts", "deals"):
        for name in preset_names(kind):
            assert read_preset(name, kind).description, (kind, name)
    with pytest.raises(InvalidImportOption, match=r"known: .*shopify"):
        read_preset("shopfy", "orders")


def line(**changes: str) -> dict[str, str]:
    return {"order_id": "1", "account_id": "a", "product_id": "x", "ordered_at": "31.12.2025", **changes}


def formats(**options: Any) -> FormatOptions:
    return FormatOptions(
        parse_decimal_sign(options.get("decimal")),
        parse_date_formats(options.get("date_format", ())),
        parse_zone(options.get("zone")),
    )


def test_european_dates_and_decimal_commas_go_in(engine: Engine) -> None:
    rows = [line(amount="12,50", currency="EUR"), line(order_id="2", amount="1.234,00", currency="EUR")]

    import_file(engine, "orders", [write_csv(Path("eu.csv"), rows, delimiter=";")])

    assert stored_lines(engine) == [("1", "x", 1.0, 1250), ("2", "x", 1.0, 123400)]


def test_american_dates_are_told_by_a_later_row(engine: Engine) -> None:
    rows = [line(order_id=str(number), ordered_at="3/4/2025") for number in range(20_000)]
    rows.append(line(order_id="last", ordered_at="12/31/2025 6:29 PM"))

    import_file(engine, "orders", [write_csv(Path("us.csv"), rows)])

    times = {row[2] for row in database_state(engine)["orders"]}
    assert times == {datetime(2025, 3, 4, tzinfo=UTC), datetime(2025, 12, 31, 18, 29, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([line(ordered_at="3/4/2025")], "does not show whether dates such as 3/4/2025 begin with the day"),
        ([line(ordered_at="31/12/2025"), line(ordered_at="12/31/2025")], "31/12/2025 begins with the day, and 12/31"),
        ([line(ordered_at="45384"), line(ordered_at="1700000000")], "holds numbers of several kinds"),
        ([line(amount="1,250")], "does not show whether the comma in 1,250 is a decimal one"),
    ],
)
def test_a_column_that_leaves_doubt_is_refused_before_anything_is_stored(
    engine: Engine, rows: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(InvalidImportOption, match=message):
        import_file(engine, "orders", [write_csv(Path("file.csv"), rows)])

    assert database_state(engine)["orders"] == []


def test_options_settle_what_a_column_leaves_open(engine: Engine) -> None:
    rows = [line(ordered_at="3/4/2025", amount="1,250", currency="EUR")]
    options = ImportOptions(formats=formats(decimal=",", date_format=["ordered_at:mdy"], zone="Europe/Berlin"))

    import_file(engine, "orders", [write_csv(Path("file.csv"), rows)], options)

    assert stored_lines(engine)[0][3] == 125
    assert database_state(engine)["orders"][0][2] == datetime(2025, 3, 3, 23, tzinfo=UTC)


def test_another_columns_decimal_sign_settles_it_for_the_file(engine: Engine) -> None:
    rows = [line(quantity="1,250", amount="12,50", currency="EUR")]

    import_file(engine, "orders", [write_csv(Path("file.csv"), rows)])

    assert stored_lines(engine) == [("1", "x", 1.25, 1250)]


def test_serial_numbers_of_spreadsheets_are_days_and_small_numbers_no_dates(engine: Engine) -> None:
    rows = [line(ordered_at="45384"), line(order_id="2", ordered_at="12")]

    import_file(engine, "orders", [write_csv(Path("file.csv"), rows)])

    assert [row[2] for row in database_state(engine)["orders"]] == [datetime(2024, 4, 2, tzinfo=UTC)]
    assert "bare number that is no date beyond doubt" in read_rejects(Path("file.csv.rejects.csv"))[0]["reason"]


def test_column_names_may_differ_in_case_spaces_and_underscores(engine: Engine) -> None:
    row = {"Order ID": "1", "ACCOUNT_ID": "ann", "product-id": "x", "Ordered At": "2026-01-01", "Quantity": "5"}

    import_file(engine, "orders", [write_csv(Path("file.csv"), [row])])

    assert stored_lines(engine) == [("1", "x", 5.0, None)]
    assert database_state(engine)["orders"][0][1] == "ann"


def test_two_columns_that_could_be_one_field_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidImportOption, match=r"each of the columns quantity \(1\), quantity \(2\) could be"):
        import_text(
            engine,
            "orders",
            "order_id,product_id,ordered_at,quantity,quantity\n1,x,2026-01-01,1,2\n",
            ImportOptions(),
        )


def test_a_suggested_mapping_names_every_column_and_can_be_copied(engine: Engine) -> None:
    row = {"order no": "1", "accountid_": "ann", "product code": "x", "orderedat": "2026-01-01", "quantities": "5"}

    with pytest.raises(MissingColumn) as raised:
        import_file(engine, "orders", [write_csv(Path("file.csv"), [row])])

    hint = str(raised.value).split("Perhaps: ")[1]
    assert "--map 'order no=order_id'" in hint
    assert "--map 'product code=product_id'" in hint
    assert "--map quantities=quantity" in hint


def test_a_column_can_be_left_out_and_a_word_of_the_files_own_mapped(engine: Engine) -> None:
    rows = [line(status="Refunded", currency="gold"), line(order_id="2", status="completed", currency="gold")]
    options = ImportOptions(ignore=["currency"], values={"status": {"refunded": "cancelled"}})

    import_file(engine, "orders", [write_csv(Path("file.csv"), rows)], options)

    assert [(row[0], row[3], row[4]) for row in database_state(engine)["orders"]] == [
        ("1", None, True),
        ("2", None, False),
    ]


def test_an_unknown_state_of_an_order_is_refused_with_the_option_that_explains_it(engine: Engine) -> None:
    import_file(engine, "orders", [write_csv(Path("file.csv"), [line(status="refunded"), line(order_id="2")])])

    reason = read_rejects(Path("file.csv.rejects.csv"))[0]["reason"]
    assert "--map-value status:refunded=cancelled" in reason
    assert [row[0] for row in database_state(engine)["orders"]] == ["2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind = ", "not TOML"),
        ('kind = "deals"', "is for deals, not for orders"),
        ("colour = 1", "colour: Extra inputs"),
        ('decimal = ";"', "decimal: "),
    ],
)
def test_a_mapping_file_that_is_none_is_refused(content: str, message: str) -> None:
    Path("mapping.toml").write_text(content, encoding="utf-8")

    with pytest.raises(InvalidImportOption, match=message):
        read_mapping_file(Path("mapping.toml"), "orders")


def test_numbers_among_attributes_of_a_csv_file_are_numbers(engine: Engine) -> None:
    rows = [{"account_id": "A", "employees": "40", "vip": "yes"}, {"account_id": "B", "employees": "120", "vip": ""}]
    mapping = [("employees", "attributes.employees"), ("vip", "attributes.vip")]

    summary = import_file(engine, "accounts", [write_csv(Path("file.csv"), rows)], ImportOptions(mapping))

    stored = [json.loads(row[3]) for row in database_state(engine)["accounts"]]
    assert stored == [{"employees": 40, "vip": True}, {"employees": 120}]
    assert "attributes: employees number, vip boolean" in summary.notes


OPPORTUNITIES = """"ID","ACCOUNTID","STAGENAME","AMOUNT","CLOSEDATE","ISCLOSED","ISWON","CREATEDDATE","CURRENCYISOCODE"
"006A","001A","Signed and done","","2026-01-28","true","true","2025-01-03T09:30:00.000Z","USD"
"006B","001B","Prospecting","","2027-01-28","false","false","2025-01-03T09:30:00.000Z","USD"
"""
LINE_ITEMS = """"ID","OPPORTUNITYID","PRODUCT2ID","PRODUCTCODE","NAME","QUANTITY","UNITPRICE","TOTALPRICE"
"00k1","006A","01t1","GEN","Generator","1.0","2100.00","2100.00"
"00k2","006A","01t2","INST","Installation","2.0","150.00","300.00"
"00k3","006B","01t1","GEN","Generator","1.0","2100.00","2100.00"
"""
SALESFORCE_REPORT = """"Opportunity ID","Account ID","Stage","Created Date","Close Date","Closed","Won","Product Code","Quantity","Total Price Currency","Total Price"
"006A","001A","Closed Won","1/3/2025","1/28/2026","1","1","GEN","1.00","USD","2,100.00"
"006A","001A","Closed Won","1/3/2025","1/28/2026","1","1","INST","2.00","USD","300.00"

"Copyright (c) 2000-2026 salesforce.com, inc."
"Example Corp"
"""  # noqa: E501  the header of a report is one line


def test_salesforces_opportunities_and_their_line_items_go_in_one_after_the_other(engine: Engine) -> None:
    options = options_of(MappingFile(), read_preset("salesforce-opportunities", "deals"), [])

    import_text(engine, "deals", OPPORTUNITIES, options, "Opportunity.csv")
    import_text(engine, "deals", LINE_ITEMS, options, "OpportunityLineItem.csv")

    assert stored_lines(engine) == [("deal:006A", "GEN", 1.0, 210000), ("deal:006A", "INST", 2.0, 30000)]


def test_salesforces_report_goes_in_without_its_footer(engine: Engine) -> None:
    options = options_of(MappingFile(), read_preset("salesforce-opportunities", "deals"), [])

    summary = import_text(engine, "deals", SALESFORCE_REPORT, options)

    assert (summary.rejected, summary.footer_lines) == (0, 2)
    assert stored_lines(engine) == [("deal:006A", "GEN", 1.0, 210000), ("deal:006A", "INST", 2.0, 30000)]


def test_a_stage_of_the_callers_own_is_mapped_and_kept_as_it_is(engine: Engine) -> None:
    row = {"deal_id": "1", "stage": "Gewonnen", "closed_at": "2025-01-02", "product_id": "x"}
    options = ImportOptions(values={"stage": {"gewonnen": "won"}})

    import_file(engine, "deals", [write_csv(Path("deals.csv"), [row])], options)

    assert [row[2:4] for row in database_state(engine)["deals"]] == [("Gewonnen", "won")]
    assert [line[:2] for line in stored_lines(engine)] == [("deal:1", "x")]


@pytest.mark.parametrize("blank", ["NULL", "\\N", "0", ""])
def test_blanks_as_databases_write_them_leave_magentos_parents(engine: Engine, blank: str) -> None:
    summary = import_preset(engine, "magento", MAGENTO.replace("EUR,,", f"EUR,{blank},"))

    assert (len(stored_lines(engine)), summary.skipped, summary.rejected) == (2, 1, 0)


def test_analytics_purchases_without_an_identifier_are_no_order(sqlite_engine: Engine) -> None:
    text = "event_name,event_timestamp,user_id,transaction_id,item_id\n" + "".join(
        f"purchase,1767431700000000,{user},{order},A\n" for user, order in (("u1", "(not set)"), ("(not set)", "T1"))
    )

    summary = import_preset(sqlite_engine, "ga4", text)

    assert [row[:2] for row in database_state(sqlite_engine)["orders"]] == [("T1", None)]
    assert summary.skipped == 1


def test_a_condition_that_skips_every_row_is_a_warning(sqlite_engine: Engine) -> None:
    options = options_of(MappingFile(where=["order_id=2"]), None, [])

    summary = import_text(sqlite_engine, "orders", "order_id,product_id,ordered_at\n1,A,2025-01-01\n", options)

    assert "--where skipped all rows" in summary_lines(summary)[-1]


def test_a_deal_of_several_companies_is_of_none_beyond_doubt(engine: Engine) -> None:
    header = "Record ID,Deal Stage,Associated Company IDs"
    rows = ["1,Contract Sent,501;502", "2,Contract Sent,502"]
    options = options_of(MappingFile(), read_preset("hubspot-deals", "deals"), [])

    import_text(engine, "deals", "\n".join([header, *rows]), options)
    import_text(
        engine,
        "deals",
        "\n".join([f"{header},Associated Company IDs (Primary)", *(f"{row},501" for row in rows)]),
        options,
        "primary.csv",
    )

    [reject] = read_rejects(Path("file.csv.rejects.csv"))
    assert (reject["line"], reject["field"]) == ("2", "account_id")
    assert "holds several identifiers, 501;502" in reject["reason"]
    assert "--map COLUMN=account_id" in reject["reason"]
    assert [row[:2] for row in database_state(engine)["deals"]] == [("1", "501"), ("2", "501")]
    assert not Path("primary.csv.rejects.csv").exists()


@pytest.mark.parametrize("status", ["wc-partial-shipped", "On the way"])
def test_what_a_status_may_mean_is_suggested_as_the_file_writes_it(sqlite_engine: Engine, status: str) -> None:
    text = f"order_id,product_id,ordered_at,status\n1,A,2025-01-01,{status}\n"
    import_text(sqlite_engine, "orders", text, ImportOptions())

    [reject] = read_rejects(Path("file.csv.rejects.csv"))
    suggested = shlex.split(reject["reason"].partition("--map-value ")[2])[0]
    mapped = options_of(MappingFile(values=parse_value_maps([suggested])), None, [])
    import_text(sqlite_engine, "orders", text, mapped)

    assert [row[4] for row in database_state(sqlite_engine)["orders"]] == [True]


@pytest.mark.parametrize("title", ["Sales report", "Sales report,,,,"])
def test_a_title_above_the_header_is_named_with_the_option_to_add(sqlite_engine: Engine, title: str) -> None:
    text = f"{title}\norder_id,product_id,ordered_at,amount,currency\n1,A,2025-01-01,1,EUR\n"

    with pytest.raises(MissingColumn, match="--skip-rows N"):
        import_text(sqlite_engine, "orders", text, ImportOptions())


@pytest.mark.parametrize(
    ("kind", "header", "suggested"),
    [
        (
            "orders",
            "Order No.;Client;Item SKU;Order Date;Qty;Unit Price;Total",
            "'Order No.=order_id' Client=account_id 'Item SKU=product_id' 'Order Date=ordered_at' Qty=quantity",
        ),
        (
            "orders",
            "Belegnummer;Kunden-Nr.;Artikel;Datum;Betrag;Preis",
            "Belegnummer=order_id Kunden-Nr.=account_id Artikel=product_id Datum=ordered_at Betrag=amount",
        ),
        ("products", "ID;Title;List Price", "ID=product_id Title=name 'List Price=price'"),
        ("accounts", "Kundennummer;Firma", "Kundennummer=account_id Firma=name"),
        (
            "deals",
            "Opportunity ID;Account ID;Stage Name;Close Date",
            "'Opportunity ID=deal_id' 'Stage Name=stage' 'Close Date=closed_at'",
        ),
    ],
)
def test_a_mapping_is_suggested_by_what_columns_are_usually_called(
    sqlite_engine: Engine, kind: str, header: str, suggested: str
) -> None:
    with pytest.raises(MissingColumn) as raised:
        import_text(sqlite_engine, kind, header + "\n", ImportOptions())

    given = str(raised.value).partition("Perhaps: ")[2].partition(" (for ")[0]
    assert shlex.split(given)[1::2] == shlex.split(suggested)


def test_a_flag_that_is_no_known_word_names_the_option_with_its_field(sqlite_engine: Engine) -> None:
    import_text(sqlite_engine, "products", "product_id,active\nA,in stock\n", ImportOptions())

    [reject] = read_rejects(Path("file.csv.rejects.csv"))
    assert (reject["field"], "--map-value 'active:in stock=false'" in reject["reason"]) == ("active", True)


def test_the_price_of_a_return_may_be_written_with_a_minus(sqlite_engine: Engine) -> None:
    text = "order_id,product_id,ordered_at,quantity,unit_price\n1,A,2025-01-01,-2,-5\n2,A,2025-01-01,-2,5\n"
    import_text(sqlite_engine, "orders", text, ImportOptions(default_currency="EUR"))

    assert [row[3] for row in stored_lines(sqlite_engine)] == [-1000, -1000]


SHOPIFY_PRODUCTS = """Handle,Title,Vendor,Type,Variant SKU,Variant Price,Gift Card,Status,Image Src
mug,Mug,ACME,Mugs,MUG-S,10.00,false,active,1.png
mug,,,,MUG-L,12.00,,,
mug,,,,,,,,2.png
card,Gift card,ACME,,,25.00,true,draft,
bowl,Bowl,,,BOWL,5.00,false,active,
"""


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_shopifys_products_share_what_their_first_variant_says(sqlite_engine: Engine, batch_rows: int) -> None:
    options = replace(options_of(MappingFile(), read_preset("shopify", "products"), []), batch_rows=batch_rows)

    import_text(sqlite_engine, "products", SHOPIFY_PRODUCTS, options)

    with sqlite_engine.connect() as connection:
        columns = (Product.product_id, Product.name, Product.line, Product.category)
        flags = (Product.is_active, Product.is_merchandise)
        rows = connection.execute(select(*columns, *flags).order_by(Product.product_id)).all()
    assert [tuple(row) for row in rows] == [
        ("BOWL", "Bowl", None, None, True, True),
        ("MUG-L", "Mug", "ACME", "Mugs", True, True),
        ("MUG-S", "Mug", "ACME", "Mugs", True, True),
        ("card", "Gift card", "ACME", None, False, False),
    ]


def test_a_dry_run_does_not_say_that_rows_were_stored(sqlite_engine: Engine) -> None:
    options = ImportOptions(is_dry_run=True)
    text = "order_id,product_id,ordered_at\n1,A,2025-01-01\n2,,2025-01-01\n"

    summary = import_text(sqlite_engine, "orders", text, options)

    assert "the others would be stored" in (share_line(summary, options) or "")


def test_a_dry_run_of_deals_and_their_products_sees_both_files(engine: Engine) -> None:
    deals = Path("deals.csv")
    deals.write_text("Id,StageName,IsWon,IsClosed,CloseDate\n1,Closed Won,true,true,2025-01-28\n", encoding="utf-8")
    items = Path("items.csv")
    items.write_text("Id,OpportunityId,ProductCode,Quantity\n9,1,GEN,2\n", encoding="utf-8")
    options = options_of(MappingFile(), read_preset("salesforce-opportunities", "deals"), [])

    dry = import_file(engine, "deals", [deals, items], replace(options, is_dry_run=True))
    after_dry_run = database_state(engine)
    real = import_file(engine, "deals", [deals, items], options)

    assert not any(after_dry_run.values())
    assert (dry.rows, dry.rejected, dry.product_stubs) == (real.rows, real.rejected, real.product_stubs)
    assert (real.rejected, real.product_stubs) == (0, 1)
