"""``nextoffer import`` as a person meets it."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.base.errors import DomainError
from service.imports.command import app
from service.imports.registry import IMPORT_KINDS
from service.rows.complete_files import TooManyRemovals
from service.rows.import_kind import ImportKind
from tests.service.imports.support import read_rejects, write_csv

LINE = {"order_id": "1", "product_id": "p", "ordered_at": "2024-01-01"}


@pytest.fixture(autouse=True)
def configured(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the database."""
    monkeypatch.setenv("NEXTOFFER_DATABASE_URL", database_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_good_import_says_what_it_did() -> None:
    write_csv(Path("lines.csv"), [{**LINE, "colour": "red"}, {**LINE, "order_id": "2", "colour": "blue"}])

    result = run("orders", "lines.csv", "--where", "colour=red")

    assert result.exit_code == 0
    assert "Read 2 rows" in result.output
    assert "orders: 1 new, 0 changed, 0 unchanged" in result.output
    assert "order lines: 1 new" in result.output
    assert "1 products added that nobody has described yet" in result.output
    assert "1 rows skipped by --where" in result.output


def test_rejected_rows_are_a_warning_that_names_their_file() -> None:
    write_csv(Path("lines.csv"), [LINE, {**LINE, "ordered_at": "soon"}])

    result = run("orders", "lines.csv", "--max-rejected-share", "0.5")

    assert result.exit_code == 0
    assert "WARNING: 1 rows rejected; see lines.csv.rejects.csv" in result.output
    assert len(read_rejects(Path("lines.csv.rejects.csv"))) == 1


def test_too_many_rejects_end_with_code_2() -> None:
    write_csv(Path("lines.csv"), [{**LINE, "ordered_at": "soon"}] * 3)

    result = run("orders", "lines.csv", "--max-rejects", "2", "--rejects", "bad.csv")

    assert result.exit_code == 2
    assert "More than 2 rows were rejected" in result.output
    assert len(read_rejects(Path("bad.csv"))) == 3


def test_a_file_that_breaks_off_says_what_was_imported_before() -> None:
    path = write_csv(Path("lines.csv.gz"), [{**LINE, "order_id": str(number * 7919)} for number in range(55_000)])
    path.write_bytes(path.read_bytes()[:-1000])

    result = run("orders", "lines.csv.gz")

    assert isinstance(result.exception, DomainError)
    assert "new, 0 changed, 0 unchanged" in result.output


def test_a_misspelt_product_is_reported_with_its_count() -> None:
    write_csv(Path("products.csv"), [{"sku": "GTX Pro", "cost": "5"}])
    write_csv(Path("lines.csv"), [{**LINE, "product_id": "GTXPro"}] * 2)

    described = run("products", "products.csv", "--map", "sku=product_id", "--default-currency", "usd")
    result = run("orders", "lines.csv", "--match-products", "names")

    assert "products: 1 new" in described.output
    assert "products.csv: ignored columns cost" in described.output
    assert "GTXPro read as GTX Pro: 2 lines" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("orders", "absent.csv"),
        ("orders", "lines.csv", "--map", "nothing"),
        ("orders", "lines.csv", "--where", "nothing"),
        ("orders", "lines.csv", "--where", "order_id~["),
        ("orders", "lines.csv", "--default-currency", "euros"),
        ("accounts", "lines.csv"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_the_command_line_can_tell(arguments: tuple[str, ...]) -> None:
    write_csv(Path("lines.csv"), [LINE])

    assert isinstance(run(*arguments).exception, DomainError)


@pytest.mark.parametrize("kind", IMPORT_KINDS.values(), ids=lambda kind: kind.name)
def test_each_kind_of_import_has_a_command_with_its_help_and_its_own_options(kind: ImportKind) -> None:
    shown = run(kind.name, "--help").output

    assert " ".join(kind.help.split()[:4]) in " ".join(shown.split())
    assert "--map" in shown
    assert ("--default-currency" in shown) == kind.takes_default_currency
    assert ("--unknown-products" in shown) == kind.takes_unknown_products
    assert ("--match-products" in shown) == kind.takes_unknown_products
    assert ("--order-key" in shown) == ("--lines" in shown) == kind.takes_orders
    assert ("--complete" in shown) == ("--allow-removals" in shown) == kind.takes_complete
    assert ("--guest-values" in shown) == kind.takes_account_values


def test_the_options_of_orders_reach_the_import() -> None:
    rows = [
        {**LINE, "order_id": "1", "account_id": account, "shop": shop} for account, shop in (("web", "n"), ("a", "s"))
    ]
    write_csv(Path("lines.csv"), rows)

    result = run("orders", "lines.csv", "--order-key", "shop,order_id", "--guest-values", "+WEB", "--lines", "add")

    assert result.exit_code == 0
    assert "orders: 2 new" in result.output
    assert "1 order lines of account 'web' were read as guests'" in result.output


def test_what_was_imported_is_said_where_more_would_go_than_is_allowed() -> None:
    write_csv(Path("all.csv"), [{"product_id": "p1"}, {"product_id": "p2"}])
    write_csv(Path("fewer.csv"), [{"product_id": "p2", "name": "new"}])
    run("products", "all.csv")

    result = run("products", "fewer.csv", "--complete")

    assert isinstance(result.exception, TooManyRemovals)
    assert "products: 0 new, 1 changed" in result.output


def test_more_rejected_rows_than_accepted_end_with_code_4() -> None:
    write_csv(
        Path("lines.csv"), [{**LINE, "order_id": str(number)} for number in range(9)] + [{**LINE, "ordered_at": "soon"}]
    )

    result = run("orders", "lines.csv")

    assert result.exit_code == 4
    assert "orders: 9 new" in result.output
    assert "1 of 10 rows (10 %) were rejected, more than the accepted 5 %" in result.output


def test_a_file_of_rejected_rows_alone_is_an_error_whatever_share_is_accepted() -> None:
    write_csv(Path("lines.csv"), [{**LINE, "ordered_at": "soon"}])

    result = run("orders", "lines.csv", "--max-rejected-share", "1")

    assert result.exit_code == 4
    assert "none was stored" in result.output


def test_a_dry_run_shows_rows_and_products_that_would_be_matched_and_stores_nothing() -> None:
    write_csv(Path("products.csv"), [{"product_id": "GTX Pro"}])
    write_csv(Path("lines.csv"), [{**LINE, "product_id": "GTXPro", "amount": "1.5", "currency": "EUR"}])
    run("products", "products.csv")

    result = run("orders", "lines.csv", "--match-products", "names", "--dry-run")
    stored = run("orders", "lines.csv", "--match-products", "names")

    assert "order_id: 1, product_id: GTXPro" in result.output
    assert "amount_minor: 150" in result.output
    assert "GTXPro read as GTX Pro: 1 lines" in result.output
    assert "orders: 1 new" in result.output
    assert "orders: 1 new" in stored.output, "the dry run stored nothing"


def test_a_mapping_can_be_kept_and_used_again() -> None:
    rows = [{"nr": "1", "sku": "x", "day": "3/4/2025", "state": "refunded"}]
    write_csv(Path("lines.csv"), rows)
    mapped = ["--map", "nr=order_id", "--map", "sku=product_id", "--map", "day=ordered_at", "--map", "state=status"]
    given = [*mapped, "--map-value", "status:refunded=cancelled", "--date-format", "mdy", "--ignore", "state"]

    first = run("orders", "lines.csv", *given[:-2], "--save-mapping", "shop.toml")
    again = run("orders", "lines.csv", "--mapping", "shop.toml")

    assert first.exit_code == 0, first.output
    assert "orders: 1 new" in first.output
    assert "orders: 0 new, 0 changed, 1 unchanged" in again.output
    assert 'order_id = "nr"' in Path("shop.toml").read_text(encoding="utf-8")


def test_the_options_of_orders_can_be_kept_and_used_again() -> None:
    write_csv(Path("lines.csv"), [{"order_id": "1", "shop": "N", "product_id": "x", "ordered_at": "1975-01-01"}])
    options = {
        "order_key": "shop,order_id", "order_prefix": "W-", "on_conflict": "keep", "lines": "add",
        "guest_values": "+WEB", "earliest": "1970-01-01", "latest": "2050-01-01", "max_rejected_share": 0.0,
    }  # fmt: skip
    given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]

    first = run("orders", "lines.csv", *given, "--save-mapping", "shop.toml")
    again = run("orders", "lines.csv", "--mapping", "shop.toml", "--save-mapping", "copy.toml")
    other = run("orders", "lines.csv", "--mapping", "shop.toml", "--order-prefix", "X-")
    refused = run("orders", "lines.csv", "--mapping", "shop.toml", "--earliest", "1980-01-01")

    assert "orders: 1 new" in first.output, first.output
    assert "orders: 0 new, 0 changed, 1 unchanged" in again.output
    assert "orders: 1 new" in other.output, "the command line counts more than the file"
    assert refused.exit_code == 4
    kept = tomllib.loads(Path("copy.toml").read_text(encoding="utf-8"))
    assert options == {name: kept[name] for name in options}


def test_the_command_line_says_anew_which_values_stand_for_guests() -> None:
    write_csv(Path("lines.csv"), [{"order_id": "1", "product_id": "x", "ordered_at": "2025-01-01", "account_id": "0"}])
    Path("keep.toml").write_text("keep_account_values = true\nlatest = 2050-01-01\n", encoding="utf-8")
    Path("guests.toml").write_text('guest_values = "0"\n', encoding="utf-8")

    kept = run("orders", "lines.csv", "--mapping", "keep.toml", "--dry-run")
    guests = run("orders", "lines.csv", "--mapping", "keep.toml", "--guest-values", "0", "--dry-run")
    kept_anew = run("orders", "lines.csv", "--mapping", "guests.toml", "--keep-account-values", "--dry-run")

    assert ["were read as guests'" in result.output for result in (kept, guests, kept_anew)] == [False, True, False]


def test_a_mapping_file_with_options_that_the_import_does_not_have_is_refused() -> None:
    write_csv(Path("accounts.csv"), [{"account_id": "a"}])
    Path("shop.toml").write_text('order_key = "shop"\nguest_values = "web"\n', encoding="utf-8")

    result = run("accounts", "accounts.csv", "--mapping", "shop.toml")

    assert result.exit_code == 1
    assert "The mapping file holds order_key; accounts have no such option" in str(result.exception)


@pytest.mark.parametrize(
    "given",
    [
        ["--preset", "nothing"],
        ["--timezone", "Atlantis"],
        ["--decimal", "_"],
        ["--date-format", "whenever"],
        ["--encoding", "klingon"],
        ["--map-value", "status"],
        ["--map-value", "colour:red=blue"],
        ["--ignore", "nothing"],
        ["--fill-down", "nothing"],
        ["--delimiter", "::"],
    ],
)
def test_an_invalid_option_is_an_error_that_names_it(given: list[str]) -> None:
    write_csv(Path("lines.csv"), [LINE])

    result = run("orders", "lines.csv", *given)

    assert isinstance(result.exception, DomainError)
    assert given[1].partition(":")[0] in str(result.exception)
