"""`nextoffer train` and `nextoffer score`, as a user runs them: files in, exit codes and messages out."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from models.data.errors import HistoryInvalid
from service.accounts.tables import Account, Consent
from service.base.errors import DomainError, SchemaOutdated
from service.cli import app
from service.offers.smoke import smoke_test
from service.readmodel.objections import Objections
from service.server.score_command import open_engine, open_state
from service.sync.artifact_store import ArtifactStore

RUNNER = CliRunner()


def write_lines(path: Path, is_random: bool = False) -> Path:
    """Order lines of a year by accounts of two tastes, or of none."""
    rng = np.random.default_rng(3)
    orders = 2_000
    account = rng.integers(0, 100, orders)
    product = rng.integers(0, 15, (orders, 2)) + (0 if is_random else 15 * (account % 2)[:, None])
    day = np.datetime64("2024-01-01") + rng.integers(0, 360, orders)
    table = pa.table(
        {
            "customer": np.repeat(account + 1, 2),
            "order_id": np.repeat(np.arange(orders), 2),
            "product_id": product.ravel(),
            "ordered_at": pa.array(np.repeat(day, 2)),
            "quantity": np.ones(2 * orders),
            "amount_minor": np.full(2 * orders, 100),
        }
    )
    pyarrow.csv.write_csv(table, path)
    return path


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database but what a test names: whoever ran the demo in the checkout has one at the default address."""
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", f"sqlite:///{tmp_path / 'absent.db'}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with order lines, and with the one artifact that was trained on them and published: to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    lines = write_lines(folder / "lines.csv")
    result = run("train", "--orders", lines, "--map", "customer=account_id", "--out", folder / "artifacts")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def artifacts(trained: Path, tmp_path: Path) -> Path:
    """A folder with one published artifact, for a test of its own; the order lines are beside it."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "artifacts"


def test_training_from_a_file_publishes_and_scoring_writes_every_account(artifacts: Path, tmp_path: Path) -> None:
    result = run("score", "--artifacts", artifacts, "--limit", 5, "--out", tmp_path / "scores.parquet")

    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    table = pq.read_table(tmp_path / "scores.parquet")
    assert ArtifactStore(artifacts, smoke_test).active_version() is not None
    ranked = ["account_id", "rank", "product_id", "score", "source"]
    assert table.column_names == [*ranked, "propensity", "expected_revenue_minor", "expected_margin_minor", "currency"]
    assert set(table["account_id"].to_pylist()) == {str(account) for account in range(1, 101)}
    assert set(table["rank"].to_pylist()) == {1, 2, 3, 4, 5}


def test_one_order_in_the_future_is_left_out_and_named(artifacts: Path, tmp_path: Path) -> None:
    before = ArtifactStore(artifacts, smoke_test).active_version()
    with (tmp_path / "lines.csv").open("a") as lines:
        lines.write("1,9999,3,2099-01-01,1,100\n")
    arguments = ("train", "--orders", tmp_path / "lines.csv", "--map", "customer=account_id", "--out", artifacts)

    result = run(*arguments, "--latest", "2099-01-01")

    after = ArtifactStore(artifacts, smoke_test).active_version()
    assert result.exit_code == 0, result.output
    assert "1 order line was left out" in " ".join(result.output.split())
    assert "2099-01-01" in result.output
    assert str(after).split("-")[0] == str(before).split("-")[0]


def test_training_again_on_the_same_data_gives_the_same_version(artifacts: Path, tmp_path: Path) -> None:
    before = ArtifactStore(artifacts, smoke_test).active_version()

    run("train", "--orders", tmp_path / "lines.csv", "--map", "customer=account_id", "--out", artifacts)

    assert ArtifactStore(artifacts, smoke_test).active_version() == before
    assert len([path for path in artifacts.iterdir() if path.is_dir()]) == 1


def test_a_rejected_artifact_is_kept_but_not_published_and_exits_with_3(artifacts: Path, tmp_path: Path) -> None:
    before = ArtifactStore(artifacts, smoke_test).active_version()
    noise = write_lines(tmp_path / "noise.csv", is_random=True)

    result = run("train", "--orders", noise, "--map", "customer=account_id", "--out", artifacts)

    assert result.exit_code == 3
    assert ArtifactStore(artifacts, smoke_test).active_version() == before
    assert len([path for path in artifacts.iterdir() if path.is_dir()]) == 2


def test_force_publishes_what_the_gate_rejected(artifacts: Path, tmp_path: Path) -> None:
    before = ArtifactStore(artifacts, smoke_test).active_version()
    noise = write_lines(tmp_path / "noise.csv", is_random=True)

    result = run("train", "--orders", noise, "--map", "customer=account_id", "--out", artifacts, "--force")

    assert result.exit_code == 0
    assert ArtifactStore(artifacts, smoke_test).active_version() != before


def test_training_without_publishing_writes_a_labelled_artifact_and_leaves_the_active_one(
    artifacts: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(artifacts, smoke_test)
    before = store.active_version()
    factors = tmp_path / "new" / "factors"
    options = ("--map", "customer=account_id", "--out", artifacts, "--no-publish", "--label", "spring, half of it")

    result = run(
        "train", "--orders", tmp_path / "lines.csv", "--as-of", "2024-12-01", *options, "--export-factors", factors
    )

    version = result.stdout.strip()
    assert result.exit_code == 0, result.output
    assert store.active_version() == before != version
    assert "model\t" in result.stderr
    assert "┃" not in result.stderr
    assert store.try_out(version).manifest.label == "spring, half of it"
    assert f"nextoffer artifacts activate {version}" in result.stderr
    assert sorted(path.name for path in factors.iterdir()) == ["accounts.parquet", "products.parquet"]


def test_a_rejected_artifact_that_is_not_to_be_published_exits_with_0_and_says_so(
    artifacts: Path, tmp_path: Path
) -> None:
    noise = write_lines(tmp_path / "noise.csv", is_random=True)

    result = run("train", "--orders", noise, "--map", "customer=account_id", "--out", artifacts, "--no-publish")

    assert result.exit_code == 0
    assert "Rejected:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--as-of", "soon", "--orders", "{lines}"), "--as-of soon: not a date"),
        (("train", "--map", "customer", "--orders", "{lines}"), "--map customer: write THEIRS=OURS"),
        (("train", "--products", "{lines}"), "name those files too"),
        (("score", "--artifacts", "nowhere", "--out", "scores.parquet"), "No artifact is active"),
        (("score", "--out", "scores.txt"), "unknown ending. Choose one of .csv, .csv.gz, .ndjson"),
        (("score", "--out", "csv"), "unknown ending"),
        (("train", "--force", "--no-publish"), "leave one of them out"),
        (("train", "--label", "two\nlines"), "--label: write one line"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    lines = write_lines(tmp_path / "lines.csv")

    result = run(*(argument.format(lines=lines) for argument in arguments))

    assert isinstance(result.exception, DomainError)
    assert message in str(result.exception)


def test_a_database_without_tables_is_refused_with_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")

    result = run("train")

    assert isinstance(result.exception, SchemaOutdated)
    assert "nextoffer db upgrade" in str(result.exception)
    assert not (tmp_path / "none.db").exists()


def test_returns_alone_teach_nothing_and_say_so(tmp_path: Path) -> None:
    lines = tmp_path / "returns.csv"
    lines.write_text("account_id,order_id,product_id,ordered_at,quantity,amount_minor\na,o1,p1,2020-01-01,-1,100\n")

    result = run("train", "--orders", lines, "--out", tmp_path / "artifacts")

    assert isinstance(result.exception, HistoryInvalid)
    assert "no known account keeps what it bought" in str(result.exception)


def test_cancelled_orders_of_a_file_are_not_learned(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "lines.csv")
    header, *rows = lines.read_text().splitlines()
    extra = '"c","o{number}","never bought","2024-06-01",1,100,cancelled'
    cancelled = [extra.format(number=number) for number in range(50)]
    lines.write_text("\n".join([f"{header},status", *(f"{row},placed" for row in rows), *cancelled]))

    result = run("train", "--orders", lines, "--map", "customer=account_id", "--out", tmp_path / "artifacts")

    assert result.exit_code == 0, result.output
    store = ArtifactStore(tmp_path / "artifacts", smoke_test)
    content = store.open(store.active_version() or "").content
    row = content.products.ids.row_of("never bought")
    assert row is not None
    assert content.popular_scores[content.popular_products.tolist().index(row)] == 0


def test_bad_rows_of_a_file_are_listed_and_nothing_is_learned(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "lines.csv")
    lines.write_text(lines.read_text() + "1,o1,p1,someday,1,100\n")
    arguments = ("train", "--orders", lines, "--map", "customer=account_id", "--out", tmp_path / "artifacts")

    refused = run(*arguments)
    allowed = run(*arguments, "--max-rejects", 1, "--rejects", tmp_path / "bad.csv")

    assert isinstance(refused.exception, DomainError)
    assert f"{lines}, line 4002: ordered_at is not an ISO 8601 date" in str(refused.exception)
    assert allowed.exit_code == 0, allowed.output
    assert "1 invalid rows were left out" in allowed.output
    assert "someday" in (tmp_path / "bad.csv").read_text()


def test_objections_are_read_while_another_process_writes(sqlite_engine: Engine, artifacts: Path) -> None:
    object_to_marketing(sqlite_engine, "a")
    store = ArtifactStore(artifacts, smoke_test)

    with sqlite_engine.begin(), open_engine(sqlite_engine.url.render_as_string(hide_password=False)) as engine:
        state = open_state(store.open(str(store.active_version())), engine)

    assert state.part(Objections).accounts == {"a"}


def object_to_marketing(engine: Engine, account_id: str) -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    with Session(engine) as session, session.begin():
        session.add(Account(account_id=account_id, attributes={}, is_stub=True, updated_at=now))
        session.flush()
        session.add(Consent(account_id=account_id, is_objecting=True, updated_at=now))


def test_a_score_file_in_no_folder_is_refused_before_anything_is_scored(artifacts: Path) -> None:
    result = run("score", "--artifacts", artifacts, "--out", artifacts / "no" / "such" / "scores.parquet")

    assert isinstance(result.exception, DomainError)
    assert "there is no folder" in str(result.exception)


def test_the_command_starts_and_says_what_to_install_where_the_training_libraries_are_missing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('implicit', 'scipy', 'pyarrow', 'threadpoolctl', 'adbc_driver_sqlite', 'sklearn', 'duckdb'):\n"
        "    sys.modules[name] = None\n"
        "from service.cli import main\n"
        "main()\n"
    )

    def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert command_line("db", "upgrade").returncode == 0
    assert command_line("keys", "create", "--scopes", "read").stdout.startswith("nxo_")
    refused = command_line("train")
    assert refused.returncode == 1
    assert "pip install 'nextoffer[train]'" in refused.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--map", "a=b"),
        ("--where", "a=b"),
        ("--max-rejects", "1"),
        ("--default-currency", "EUR"),
        ("--order-key", "a,b"),
        ("--on-conflict", "keep"),
        ("--guest-values", "x"),
        ("--latest", "2030-01-01"),
    ],
)
def test_options_about_files_without_files_are_refused(options: tuple[str, str]) -> None:
    result = run("train", *options)

    assert isinstance(result.exception, DomainError)
    assert str(result.exception) == f"{options[0]}: about the files in --orders, so name those files too."


@pytest.mark.parametrize("as_of", ["2024-12-01", "2024-12-01T05:00:00Z"])
def test_an_as_of_is_a_day_of_the_business(artifacts: Path, as_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTOFFER_TIMEZONE", "America/New_York")
    lines = artifacts.parent / "lines.csv"

    result = run(
        "train", "--orders", lines, "--map", "customer=account_id", "--as-of", as_of, "--no-publish", "--out", artifacts
    )

    assert result.exit_code == 0, result.output
    manifest = ArtifactStore(artifacts, smoke_test).open(result.stdout.strip()).manifest
    # Midnight of December 1 in New York. The file's bare dates are days there, too.
    assert (manifest.as_of, manifest.timezone) == ("2024-12-01T05:00:00Z", "America/New_York")
    days = {line.split(",")[3] for line in lines.read_text().splitlines()[1:]}
    activity = ArtifactStore(artifacts, smoke_test).open(manifest.version).content.activity
    assert set(activity.day.astype("datetime64[D]").astype(str).tolist()) == {day for day in days if day < "2024-12-01"}
