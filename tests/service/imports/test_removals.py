"""What files no longer hold is gone: lines of edited orders, and with --complete products, accounts and orders."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from service.imports.importer import import_file
from service.imports.report import summary_lines
from service.orders import removal
from service.rows.complete_files import TooManyRemovals
from service.rows.options import ImportOptions
from service.rows.order_options import OrderOptions
from service.rows.summary import ImportSummary
from service.storage.tables import Change
from tests.service.imports.support import Rows, database_state, write_csv

ALL = ImportOptions(is_complete=True, allow_removals=1)


def line(order_id: str, product_id: str, **changes: object) -> dict[str, object]:
    return {"order_id": order_id, "account_id": "a1", "product_id": product_id, "ordered_at": "2025-01-05", **changes}


def import_rows(engine: Engine, kind: str, *files: Rows, options: ImportOptions | None = None) -> ImportSummary:
    paths = [write_csv(Path(f"{number}.csv"), rows) for number, rows in enumerate(files)]
    return import_file(engine, kind, paths, options)


def lines_of(engine: Engine) -> list[tuple[Any, ...]]:
    return [row[:3] for row in database_state(engine)["order_lines"]]


def cancelled(engine: Engine) -> list[str]:
    return [order_id for order_id, *_, is_cancelled in database_state(engine)["orders"] if is_cancelled]


def active_products(engine: Engine) -> list[str]:
    products = database_state(engine)["products"]
    return [row[0] for row in products if row[9]]


def changed_ids(engine: Engine, kind: str) -> list[list[str]]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Change.ids).where(Change.kind == kind).order_by(Change.sequence)))


# --- lines of orders --------------------------------------------------------------------------------------------------


def test_lines_that_an_edited_order_lacks_are_removed_and_its_account_is_noted_as_changed(engine: Engine) -> None:
    import_rows(engine, "orders", [line("o1", "p1"), line("o1", "p1"), line("o1", "p2"), line("o2", "p1")])

    summary = import_rows(engine, "orders", [line("o1", "p1")])

    assert lines_of(engine) == [("o1", "p1", 0), ("o2", "p1", 0)]
    assert any(text.startswith("WARNING: 2 order lines were removed from 1 orders") for text in summary_lines(summary))
    assert changed_ids(engine, "orders")[-1] == ["a1"]


def test_lines_are_kept_where_files_hold_orders_in_parts(engine: Engine) -> None:
    import_rows(engine, "orders", [line("o1", "p1")])

    import_rows(engine, "orders", [line("o1", "p2")], options=ImportOptions(orders=OrderOptions(lines="add")))

    assert lines_of(engine) == [("o1", "p1", 0), ("o1", "p2", 0)]


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_lines_scattered_over_a_file_or_several_files_of_one_command_are_kept(engine: Engine, batch_rows: int) -> None:
    files = [
        [line("o1", "p1"), line("o2", "p1"), line("o1", "p1"), line("o2", "p2")],
        [line("o2", "p3"), line("o1", "p2")],
    ]
    options = ImportOptions(batch_rows=batch_rows)
    import_rows(engine, "orders", *files, options=options)
    before = database_state(engine)

    import_rows(engine, "orders", *files, options=options)

    assert database_state(engine) == before
    assert len(before["order_lines"]) == 6


def test_lines_of_an_order_with_a_refused_row_are_kept(engine: Engine) -> None:
    import_rows(engine, "orders", [line("o1", "p1", quantity=1), line("o1", "p2", quantity=1)])

    import_rows(engine, "orders", [line("o1", "p1", quantity=1), line("o1", "p2", quantity="many")])

    assert lines_of(engine) == [("o1", "p1", 0), ("o1", "p2", 0)]


def test_many_lines_are_removed_only_where_that_is_asked_for(sqlite_engine: Engine) -> None:
    rows = [line(f"o{number}", product) for number in range(60) for product in ("p1", "p2")]
    import_rows(sqlite_engine, "orders", rows)

    with pytest.raises(TooManyRemovals, match=r"60 of 120 .* --allow-removals 0.5; --lines add"):
        import_rows(sqlite_engine, "orders", rows[::2])
    after_refusal = len(lines_of(sqlite_engine))
    import_rows(sqlite_engine, "orders", rows[::2], options=ImportOptions(allow_removals=0.5))

    assert (after_refusal, len(lines_of(sqlite_engine))) == (120, 60)


def test_an_import_that_ends_early_removes_nothing_and_the_next_one_does(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows(engine, "orders", [line("o1", "p1"), line("o1", "p2"), line("o2", "p1"), line("o3", "p1")])
    edited = [line("o1", "p1"), line("o3", "p1", ordered_at="2025-01-05T10:00")]
    before = database_state(engine)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(removal, "_cancel_missing", broken)
    with pytest.raises(KeyboardInterrupt):
        import_rows(engine, "orders", edited, options=ALL)
    after_interruption = database_state(engine)
    monkeypatch.undo()
    import_rows(engine, "orders", edited, options=ALL)

    assert after_interruption["order_lines"] == before["order_lines"]
    assert lines_of(engine) == [("o1", "p1", 0), ("o2", "p1", 0), ("o3", "p1", 0)]
    assert cancelled(engine) == ["o2"]


# --- complete files ---------------------------------------------------------------------------------------------------


def test_orders_of_the_period_that_complete_files_lack_are_cancelled_and_come_back(engine: Engine) -> None:
    days = [f"2025-01-{day:02}" for day in range(1, 7)]
    rows = [line(f"o{number}", "p1", ordered_at=day) for number, day in enumerate(days)]
    deal = [line("deal:d1", "p1", ordered_at="2025-01-03")]
    import_rows(engine, "orders", [*rows, *deal])

    import_rows(engine, "orders", [rows[1], rows[2]], [rows[4]], options=ALL)
    after_removal = cancelled(engine)
    import_rows(engine, "orders", rows)

    assert after_removal == ["o3"]
    assert cancelled(engine) == []


def test_orders_of_another_prefix_are_not_missing(sqlite_engine: Engine) -> None:
    rows = [line("1", "p1", ordered_at="2025-01-01"), line("2", "p1"), line("3", "p1", ordered_at="2025-01-09")]
    for prefix in ("BER-", "MUC-"):
        import_rows(sqlite_engine, "orders", rows, options=ImportOptions(orders=OrderOptions(prefix=prefix)))

    options = ImportOptions(orders=OrderOptions(prefix="MUC-"), is_complete=True, allow_removals=1)
    import_rows(sqlite_engine, "orders", rows[::2], options=options)

    assert cancelled(sqlite_engine) == ["MUC-2"]


def test_an_order_whose_rows_were_refused_is_not_missing(sqlite_engine: Engine) -> None:
    rows = [line(f"o{number}", "p1", quantity=1, ordered_at=f"2025-01-0{number}") for number in (1, 2, 3)]
    import_rows(sqlite_engine, "orders", rows)

    import_rows(sqlite_engine, "orders", [rows[0], {**rows[1], "quantity": "x"}, rows[2]], options=ALL)

    assert cancelled(sqlite_engine) == []


def test_products_that_a_complete_catalogue_lacks_are_switched_off_and_on_again_once_back(engine: Engine) -> None:
    catalogue = [{"product_id": f"p{number}"} for number in range(12)]
    import_rows(engine, "products", catalogue)

    summary = import_rows(engine, "products", catalogue[:6], catalogue[6:11], options=ImportOptions(is_complete=True))
    after_removal = active_products(engine)
    changes = changed_ids(engine, "products")
    import_rows(engine, "products", catalogue, options=ImportOptions(is_complete=True))

    assert "p11" not in after_removal
    assert len(after_removal) == 11
    assert any("1 products were switched off" in text for text in summary_lines(summary))
    assert changes[-1] == ["p11"]
    assert len(active_products(engine)) == 12


def test_products_that_only_orders_name_are_switched_off_too(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "orders", [line("o1", "stub")])

    import_rows(sqlite_engine, "products", [{"product_id": "p1"}], options=ALL)

    assert active_products(sqlite_engine) == ["p1"]


def test_a_column_says_which_products_are_active(sqlite_engine: Engine) -> None:
    rows = [{"product_id": "p1", "active": "no"}, {"product_id": "p2", "active": "yes"}]

    import_rows(sqlite_engine, "products", rows, options=ALL)

    assert active_products(sqlite_engine) == ["p2"]


@pytest.mark.parametrize("kind", ["products", "accounts"])
def test_more_than_a_tenth_goes_only_where_that_is_asked_for(engine: Engine, kind: str) -> None:
    key = f"{kind[:-1]}_id"
    rows = [{key: f"x{number}", "name": "n"} for number in range(10)]
    import_rows(engine, kind, rows)
    before = database_state(engine)

    with pytest.raises(TooManyRemovals, match=r"--allow-removals 0\.2"):
        import_rows(engine, kind, rows[:8], options=ImportOptions(is_complete=True))

    assert database_state(engine) == before
    import_rows(engine, kind, rows[:9], options=ImportOptions(is_complete=True))
    assert database_state(engine) != before


def test_a_record_whose_row_was_refused_is_not_missing(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "products", [{"product_id": "p1", "tier": 1}, {"product_id": "p2", "tier": 1}])

    import_rows(
        sqlite_engine, "products", [{"product_id": "p1", "tier": 1}, {"product_id": "p2", "tier": "x"}], options=ALL
    )

    assert active_products(sqlite_engine) == ["p1", "p2"]


def test_nothing_is_removed_where_a_row_has_no_readable_identifier(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "products", [{"product_id": "p1"}, {"product_id": "p2"}])

    summary = import_rows(
        sqlite_engine, "products", [{"product_id": "p1"}, {"product_id": " ", "name": "?"}], options=ALL
    )

    assert active_products(sqlite_engine) == ["p1", "p2"]
    assert any("nothing was removed" in text for text in summary_lines(summary))


def test_accounts_that_complete_files_lack_are_known_by_their_orders_only(engine: Engine) -> None:
    rows = [{"account_id": name, "name": name.upper(), "attributes.sector": "IT"} for name in ("a1", "a2")]
    import_rows(engine, "accounts", rows)

    import_rows(engine, "accounts", rows[:1], options=ALL)

    a1, a2 = database_state(engine)["accounts"]
    assert a1[:2] == ("a1", "A1")
    assert a2 == ("a2", None, None, "{}", False, True)


def test_a_plain_import_says_which_active_products_it_lacks_and_keeps_them(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "orders", [line("o1", "stub")])
    import_rows(sqlite_engine, "products", [{"product_id": "p1"}, {"product_id": "p2"}, {"product_id": "p3"}])

    summary = import_rows(sqlite_engine, "products", [{"product_id": "p1"}], [{"product_id": "p3"}])

    [warning] = summary.warnings
    assert warning.startswith("1 active product is not in the imported files, such as p2,")
    assert "--complete" in warning
    assert active_products(sqlite_engine) == ["p1", "p2", "p3", "stub"]


def test_a_plain_import_of_all_active_products_warns_of_nothing(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "products", [{"product_id": "p1"}, {"product_id": "off", "active": "no"}])

    summary = import_rows(sqlite_engine, "products", [{"product_id": "p1"}])

    assert summary.warnings == []


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_go_and_removes_nothing(engine: Engine) -> None:
    lines = [line("o1", "p1"), line("o1", "p2"), line("o2", "p1"), line("o3", "p1")]
    import_rows(engine, "orders", lines)
    import_rows(engine, "products", [{"product_id": name} for name in ("p1", "p2", "off")])
    import_rows(engine, "products", [{"product_id": "off", "active": "no"}])
    before = database_state(engine)
    options = replace(ALL, is_dry_run=True)

    of_orders = summary_lines(import_rows(engine, "orders", [lines[0], lines[3]], options=options), options)
    of_products = summary_lines(
        import_rows(engine, "products", [{"product_id": "p1"}, {"product_id": "off"}], options=options), options
    )

    assert database_state(engine) == before
    assert any("1 order lines would be removed" in text for text in of_orders)
    assert any("1 orders would be cancelled" in text for text in of_orders)
    assert any("1 products would be switched off" in text for text in of_products)
    assert any("1 products would be switched on again" in text for text in of_products)


def test_a_dry_run_warns_where_more_would_go_than_is_allowed(sqlite_engine: Engine) -> None:
    import_rows(sqlite_engine, "products", [{"product_id": "p1"}, {"product_id": "p2"}])
    options = ImportOptions(is_complete=True, is_dry_run=True)

    summary = import_rows(sqlite_engine, "products", [{"product_id": "p1"}], options=options)

    [warning] = summary.warnings
    assert warning.startswith("1 of 2 active products would be switched off (50%)")
    assert "--allow-removals 0.5" in warning
