"""Training on several currencies: from files as from either database, and as if all had been in one."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from models.artifact import open_artifact
from models.data.history import History
from models.data.sources.local import history_from_database
from service.cli import app
from service.imports.importer import import_file
from service.offers.smoke import smoke_test
from service.rows.options import ImportOptions
from service.sync.artifact_store import ArtifactStore
from service.training.currency_notes import currency_notes
from service.training.file_history import HistoryFiles, history_from_files
from tests.service.conftest import make_key, make_settings, running
from tests.service.imports.support import write_csv
from tests.shop import AS_OF, Rows, Shop, open_shop

RATES = [
    {"from": "EUR", "to": "JPY", "date": "2024-01-01", "rate": 160},
    {"from": "EUR", "to": "JPY", "date": "2024-02-01", "rate": 200},
    {"from": "KWD", "to": "JPY", "date": "2024-01-01", "rate": 480},
]
AMOUNTS = [
    ("EUR", "8", "2023-05-05", 800),
    ("EUR", "8", "2024-02-05", 800),
    ("EUR", "8", "2024-02-06", 800),
    ("JPY", "1600", "2024-01-31T23:59:59Z", 1000),
    ("JPY", "1600", "2024-02-01T00:00:00Z", 800),
    ("KWD", "1.5", "2024-01-05", 450),
    ("JPY", "1600", "2023-12-31", None),
    ("CHF", "9", "2024-02-05", None),
    ("", "9", "2024-02-05", None),
]
"""Currency, amount, time, and cents of a euro."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_files() -> tuple[Path, Path, Path]:
    """Orders, products and rates in files."""
    names = ("order_id", "account_id", "product_id", "ordered_at", "amount", "currency")
    orders = [
        dict(zip(names, (f"o{i}", f"a{i}", "p", time, amount, code), strict=True))
        for i, (code, amount, time, _) in enumerate(AMOUNTS)
    ]
    products = [
        {"product_id": "p", "price": 400, "currency": "JPY"},
        {"product_id": "q", "price": 4, "currency": "CHF"},
    ]
    rates = write_csv(Path("rates.csv"), RATES)
    return write_csv(Path("orders.csv"), orders), write_csv(Path("products.csv"), products), rates


def cents(history: History) -> dict[str, int | None]:
    """What each account spent, None where it is not known."""
    interactions = history.interactions
    columns = (interactions.account, interactions.amount_minor, interactions.is_unconverted)
    return {
        str(interactions.account_ids[account]): None if unknown else amount
        for account, amount, unknown in zip(*(column.tolist() for column in columns), strict=True)
    }


@pytest.mark.parametrize("reporting", [None, "EUR", "JPY", "CHF"])
def test_files_and_both_databases_convert_alike(engine: Engine, reporting: str | None) -> None:
    orders, products, rates = write_files()
    for kind, path in (("products", products), ("orders", orders), ("exchange-rates", rates)):
        import_file(engine, kind, [path])
    files = HistoryFiles([orders], products, exchange_rates=rates)

    from_files = history_from_files(files, ImportOptions(), reporting_currency=reporting)
    from_database = history_from_database(engine.url.render_as_string(hide_password=False), reporting)

    assert from_files.fingerprint == from_database.fingerprint
    assert cents(from_files) == cents(from_database)
    assert from_files.currency_lines == from_database.currency_lines
    day = (date(2024, 2, 20) - date(1970, 1, 1)).days
    for name in ("prices_minor", "margins_minor"):
        each = (getattr(history.valued_products(day), name).tolist() for history in (from_files, from_database))
        assert next(each) == next(each)
    if reporting in (None, "EUR"):
        assert cents(from_files) == {f"a{i}": expected for i, (*_, expected) in enumerate(AMOUNTS)}
    if reporting == "CHF":
        assert [amount for amount in cents(from_files).values() if amount is not None] == [900]


def test_what_could_not_be_converted_is_told_by_currency_with_what_to_do() -> None:
    orders, products, rates = write_files()

    notes = list(currency_notes(history_from_files(HistoryFiles([orders], products, exchange_rates=rates))))

    assert notes[0] == "All money is in one currency, EUR."
    assert [note for note in notes if note.startswith("JPY: 2 order lines converted")]
    assert [note for note in notes if "WARNING: JPY: 1 order lines have no exchange rate" in note]
    assert [note for note in notes if "WARNING: CHF: 1 order lines" in note and "import exchange-rates FILE" in note]
    assert [note for note in notes if "name no currency" in note and "--default-currency" in note]


@pytest.mark.parametrize("currency", ["EUR", ""])
def test_nothing_is_told_where_all_is_in_one_currency(currency: str) -> None:
    rows = [{"order_id": "o", "account_id": "a", "product_id": "p", "ordered_at": "2024-01-01", "amount": 1}]
    path = write_csv(Path("orders.csv"), [row | {"currency": currency} for row in rows])

    assert list(currency_notes(history_from_files(HistoryFiles([path])))) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exchange-rates", "rates.csv"], "--exchange-rates: about the files in --orders"),
        (["--reporting-currency", "euro"], "--reporting-currency must be a currency's three letters"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: list[str], message: str) -> None:
    write_files()

    result = CliRunner().invoke(app, ["train", *options])

    assert message in str(result.exception)


# --- a shop where half of the accounts pay in yen, at a hundred yen the euro: its minor units are those of the shop ---


def in_yen(kind: str, rows: Rows) -> Rows:
    """Every second account pays in yen, and every third product has its price in yen."""
    for row in rows:
        number = {"orders": "account_id", "products": "product_id"}.get(kind)
        is_yen = number and row[number] and int(row[number].split("-")[1]) % (2 if kind == "orders" else 3) == 1
        yield row | ({"currency": "JPY"} if is_yen else {})


@pytest.fixture(scope="module")
def yen_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    rates = [{"base": "EUR", "quote": "JPY", "date": "2022-01-01", "rate": 100}]
    return open_shop(tmp_path_factory.mktemp("yen"), in_yen, rates)


def test_converted_orders_teach_exactly_what_they_would_in_one_currency(yen_shop: Shop, opened_shop: Shop) -> None:
    versions = [ArtifactStore(shop.artifacts, smoke_test).active_version() or "" for shop in (yen_shop, opened_shop)]

    mixed, plain = (
        open_artifact(shop.artifacts / version) for shop, version in zip((yen_shop, opened_shop), versions, strict=True)
    )

    expected = plain.content.to_arrays()
    for stem, array in mixed.content.to_arrays().items():
        if not stem.startswith("products.currencies"):
            np.testing.assert_array_equal(array, expected[stem], stem)
    assert mixed.manifest.metrics == plain.manifest.metrics
    assert mixed.manifest.reporting_currency == plain.manifest.reporting_currency == "EUR"
    assert mixed.content.currency.minor_factors == {"EUR": 1, "JPY": pytest.approx(1)}


@pytest.fixture
def yen_client(yen_shop: Shop) -> Iterator[TestClient]:
    settings = make_settings(f"sqlite:///{yen_shop.database}", yen_shop.artifacts)
    with running(settings, make_key(settings.database_url, "admin", now=AS_OF), now=lambda: AS_OF) as made:
        yield made


def test_every_answer_names_the_currency_of_its_money(yen_client: TestClient, yen_shop: Shop) -> None:
    def get(path: str, **parameters: Any) -> Any:
        answer = yen_client.get(f"/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    version = ArtifactStore(yen_shop.artifacts, smoke_test).active_version()
    value = get("/accounts/a-1")["value"]
    targets = get("/products/p-1/targets", limit=1)
    named = {
        "value": value["currency"],
        "segments": get("/segments")["currency"],
        "segment": get("/segments/rfm.champions")["currency"],
        "account of a segment": get("/segments/all.accounts/accounts")["items"][0]["currency"],
        "series": get("/segments/all.accounts/metrics")["currency"],
        "snapshot": get("/segments/all.accounts/metrics")["snapshots"][0]["currency"],
        "white space": get("/whitespace")["currency"],
        "white space of an account": get("/accounts/a-1/whitespace")["currency"],
        "targets": targets["currency"],
        "artifact": get(f"/artifacts/{version}")["reporting_currency"],
    }
    steps = {item["currency"] for item in get("/relationships", limit=500)["items"] if item["price_step_minor"]}
    assert set(named.values()) == {"EUR"}, named
    assert steps <= {"EUR"}
    assert value["unconverted_lines"] == 0
    (target,) = targets["items"]
    assert target["expected_revenue_minor"] == round(target["propensity"] * 250)
    assert get("/accounts/a-1")["totals"][0]["currency"] == "JPY"


def test_scores_name_the_currency(yen_shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", f"sqlite:///{yen_shop.database}")

    result = CliRunner().invoke(
        app,
        ["score", "--out", str(tmp_path / "scores.parquet"), "--artifacts", str(yen_shop.artifacts), "--limit", "1"],
    )

    assert result.exit_code == 0, result.output
    assert set(pq.read_table(tmp_path / "scores.parquet")["currency"].to_pylist()) == {"EUR"}
