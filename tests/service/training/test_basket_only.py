"""`nextoffer train --basket-only`: from guests' orders in a file to a basket's add-ons, and what accounts get."""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from models.data.errors import HistoryInvalid
from service.base.errors import DomainError
from service.cli import app
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.service.conftest import make_key, make_settings, running

RUNNER = CliRunner()
GROUPS, PER_GROUP = 10, 4
NOW = datetime(2025, 1, 2, tzinfo=UTC)


def write_orders(path: Path, *, accounts: int = 0, days: int = 360, has_column: bool = True) -> Path:
    """Orders of two or three products that belong together. accounts: so many buy; without any, guests do."""
    rng = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        account = ["account_id"] if has_column else []
        lines.writerow([*account, "order_id", "product_id", "ordered_at", "quantity", "amount_minor", "currency"])
        for order in range(2_000):
            group, day = int(rng.integers(GROUPS)), np.datetime64("2024-01-01") + int(rng.integers(days))
            buyer = [f"a{group + GROUPS * int(rng.integers(accounts // GROUPS))}" if accounts else ""]
            for product in rng.choice(PER_GROUP, int(rng.integers(2, 4)), replace=False):
                line = [f"o{order}", f"p{group}-{product}", day, 1, 100 * (int(product) + 1), "EUR"]
                lines.writerow([*(buyer if has_column else []), *line])
    return path


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def database(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("NEXTOFFER_ARTIFACTS_DIR", str(tmp_path / "artifacts"))
    return sqlite_url


def train_on(orders: Path, *options: str) -> None:
    for arguments in (("import", "orders", orders), ("train", *options)):
        result = run(*arguments)
        assert result.exit_code == 0, f"{result.output} {result.exception!r}"


@pytest.fixture
def client(database: str, tmp_path: Path) -> Iterator[TestClient]:
    """A client of a service whose artifact was trained on guests' orders alone."""
    train_on(write_orders(tmp_path / "guests.csv"), "--basket-only")
    with running(make_settings(database, tmp_path / "artifacts"), make_key(database, "admin"), now=lambda: NOW) as made:
        yield made


def offered(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [offer["product_id"] for offer in answer["offers"]]


def test_a_basket_gets_the_products_that_guests_bought_with_it(client: TestClient) -> None:
    answer = client.post("/v1/recommendations", json={"basket": ["p4-0"], "limit": 3}).json()

    assert set(offered(answer)) == {"p4-1", "p4-2", "p4-3"}
    assert answer["source"] == "basket"
    assert not answer["degraded"]


def test_an_account_gets_popular_products(client: TestClient) -> None:
    answer = client.get("/v1/recommendations/anybody").json()

    assert answer["source"] == "popular"
    assert len(answer["offers"]) == 3


def test_an_account_that_orders_later_gets_what_goes_with_that(client: TestClient) -> None:
    lines = [{"product_id": "p7-0", "quantity": 1, "amount_minor": 100}]
    order = {"order_id": "new", "account_id": "anna", "ordered_at": "2025-01-01", "currency": "EUR", "lines": lines}
    written = client.post("/v1/orders", json=[order])
    assert written.status_code == 200, written.text

    answer = client.get("/v1/recommendations/anna", headers={"X-Min-Sequence": written.headers["X-Sequence"]}).json()

    assert set(offered(answer)) == {"p7-1", "p7-2", "p7-3"}


def test_the_service_is_ready_and_reports_the_artifact(client: TestClient) -> None:
    ready = client.get("/readyz")
    (listed,) = client.get("/v1/artifacts").json()["items"]
    shown = client.get(f"/v1/artifacts/{listed['version']}").json()

    assert ready.status_code == 200
    assert listed["is_live"]
    assert listed["state"] == "approved"
    assert listed["counts"]["accounts"] == 0
    assert set(listed["metrics"]) == {"basket"}
    assert shown["parameters"]["is_basket_only"] is True
    assert shown["report"]["served"] == "neighbours"
    assert "better than popularity: hit@10" in shown["reason"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts",
        "/v1/accounts/do-not-pitch",
        "/v1/products/p1-1",
        "/v1/products/p1-1/relationships",
        "/v1/products/p1-1/targets",
        "/v1/relationships",
        "/v1/segments",
        "/v1/whitespace",
        "/",
        "/metrics",
    ],
)
def test_what_is_about_accounts_is_empty_and_no_error(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_relationships_are_learned_from_baskets(client: TestClient) -> None:
    items = client.get("/v1/products/p1-1/relationships").json()["items"]

    assert {item["target_product_id"] for item in items} <= {"p1-0", "p1-2", "p1-3"}
    assert items


def test_scoring_writes_a_file_without_accounts(client: TestClient, tmp_path: Path) -> None:
    result = run("score", "--out", tmp_path / "scores.parquet")

    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 0


def test_a_file_without_a_column_of_accounts_gives_the_same_artifact_as_one_with_empty_ones(tmp_path: Path) -> None:
    with_column = write_orders(tmp_path / "with.csv")
    without = write_orders(tmp_path / "without.csv", has_column=False)

    versions = [
        run("train", "--orders", orders, "--basket-only", "--out", tmp_path / "artifacts").stdout.strip()
        for orders in (with_column, without, with_column)
    ]

    assert len(set(versions)) == 1
    assert versions[0]


@pytest.mark.parametrize("has_column", [True, False])
def test_guests_orders_without_the_option_are_refused_and_the_option_is_named(
    tmp_path: Path, *, has_column: bool
) -> None:
    orders = write_orders(tmp_path / "guests.csv", has_column=has_column)

    result = run("train", "--orders", orders, "--out", tmp_path / "artifacts")

    assert isinstance(result.exception, HistoryInvalid if has_column else DomainError)
    assert "all orders are guests'" in str(result.exception)
    assert "--basket-only" in str(result.exception)


def test_where_accounts_exist_they_are_left_out(database: str, tmp_path: Path) -> None:
    train_on(write_orders(tmp_path / "orders.csv", accounts=50), "--basket-only")

    store = ArtifactStore(tmp_path / "artifacts", smoke_test)
    content = store.open(str(store.active_version())).content
    assert len(content.account_ids) == 0
    assert len(content.owned_products) == 0
    with running(
        make_settings(database, tmp_path / "artifacts"), make_key(database, "admin"), now=lambda: NOW
    ) as client:
        answer = client.get("/v1/recommendations/a0").json()
        shown = client.get("/v1/accounts/a0")
    assert answer["source"] == "popular"
    assert answer["account_known"] is False
    assert shown.status_code == 200


def test_artifacts_of_baskets_and_of_accounts_replace_and_are_compared_with_each_other(
    database: str, tmp_path: Path
) -> None:
    arguments = ("train", "--orders", write_orders(tmp_path / "orders.csv", accounts=200))
    choices = (["--basket-only"], ["--force"], ["--basket-only"])

    versions = [run(*arguments, *options).stdout.strip() for options in choices]
    compared = run("artifacts", "compare", *versions[:2])

    store = ArtifactStore(tmp_path / "artifacts", smoke_test)
    assert versions[0] == versions[2]
    assert [len(store.open(version).content.account_ids) for version in versions] == [0, 200, 0]
    assert compared.exit_code == 0, f"{compared.output} {compared.exception!r}"


def test_an_earlier_artifact_in_use_is_measured_on_the_same_baskets(tmp_path: Path) -> None:
    arguments = (
        "train",
        "--orders",
        write_orders(tmp_path / "orders.csv"),
        "--basket-only",
        "--out",
        tmp_path / "artifacts",
    )
    run(*arguments, "--as-of", "2024-08-01")

    version = run(*arguments).stdout.strip()

    manifest, report = ArtifactStore(tmp_path / "artifacts", smoke_test).show(version)
    assert "not worse than the live model" in manifest.verdict.reason
    measured = json.loads(report)["metrics"]["basket"]
    assert measured["live"]["hit@10"]["value"] == pytest.approx(1)


def test_orders_of_one_day_are_held_out_at_random(tmp_path: Path) -> None:
    orders = write_orders(tmp_path / "orders.csv", days=1)

    result = run("train", "--orders", orders, "--basket-only", "--out", tmp_path / "artifacts")

    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    assert "a random fifth of orders is held out" in " ".join(result.output.split())


def test_baskets_without_a_pattern_are_rejected(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    rng = np.random.default_rng(0)
    lines = [
        f"o{order},p{product},2024-{1 + order % 12:02}-01,1,100"
        for order in range(1_500)
        for product in rng.choice(40, 2, replace=False)
    ]
    orders.write_text("\n".join(["order_id,product_id,ordered_at,quantity,amount_minor", *lines]))

    result = run("train", "--orders", orders, "--basket-only", "--out", tmp_path / "artifacts")

    assert result.exit_code == 3, f"{result.output} {result.exception!r}"
    assert "not better than popularity: hit@10" in " ".join(result.output.split())


def test_returns_alone_are_refused(tmp_path: Path) -> None:
    orders = tmp_path / "returns.csv"
    orders.write_text("order_id,product_id,ordered_at,quantity,amount_minor\no1,p1,2020-01-01,-1,100\n")

    result = run("train", "--orders", orders, "--basket-only", "--out", tmp_path / "artifacts")

    assert isinstance(result.exception, HistoryInvalid)
    assert "nothing was bought" in str(result.exception)


@pytest.mark.parametrize("options", [("--export-factors", "factors"), ("--accounts", "{orders}")])
def test_options_about_accounts_are_refused_beside_it(options: Sequence[str], tmp_path: Path) -> None:
    orders = write_orders(tmp_path / "orders.csv")

    result = run("train", "--orders", orders, "--basket-only", *(option.format(orders=orders) for option in options))

    assert isinstance(result.exception, DomainError)
    assert str(result.exception) == f"{options[0]}: about accounts, of which --basket-only learns nothing."
