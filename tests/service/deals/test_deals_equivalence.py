"""Properties: neither the batches nor the files in which deals come matter, and the orders are the won ones."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service.imports.importer import import_file
from service.rows.options import ImportOptions
from tests.service.imports.support import State, database_state, write_csv
from tests.service.imports.test_equivalence import FEW, fresh_database

DEALS = st.fixed_dictionaries(
    {
        "deal_id": st.sampled_from(["d1", "d2", "d3"]),
        "account_id": st.sampled_from(["a1", "a2", ""]),
        "product_id": st.sampled_from(["p1", "P 1", "p2"]),
        "stage": st.sampled_from(["Demo", "Won", "Closed Won", "Lost", ""]),
        "status": st.sampled_from(["", "", "open", "won"]),
        "value": st.sampled_from(["", "1.005", "9.99", "-3"]),
        "currency": st.sampled_from(["EUR", "JPY", ""]),
        "closed_at": st.sampled_from(["2024-01-01", "2024-01-02T10:00:00+02:00", ""]),
        "expected_close": st.sampled_from(["2024-02-01", ""]),
    }
)
FILES = st.lists(st.lists(DEALS, min_size=1, max_size=8), min_size=1, max_size=4)


def state_after(template: Path, files: list[list[dict[str, str]]], batch_rows: int, times: int = 1) -> State:
    with fresh_database(template) as (engine, folder):
        import_file(engine, "products", [write_csv(folder / "products.csv", [{"product_id": "p1"}])])
        options = ImportOptions(batch_rows=batch_rows, rejects=folder / "rejects.csv")
        for rows in files:
            for _ in range(times):
                import_file(engine, "deals", [write_csv(folder / "deals.csv", rows)], options)
        return database_state(engine)


@FEW
@given(files=FILES, batch_rows=st.integers(1, 8), times=st.integers(1, 2))
def test_any_batches_and_repetitions_store_what_one_batch_stores(
    migrated_sqlite: Path, files: list[list[dict[str, str]]], batch_rows: int, times: int
) -> None:
    assert state_after(migrated_sqlite, files, batch_rows, times) == state_after(migrated_sqlite, files, 1000)


@FEW
@given(files=FILES)
def test_the_orders_that_stand_are_the_deals_that_are_won(
    migrated_sqlite: Path, files: list[list[dict[str, str]]]
) -> None:
    state = state_after(migrated_sqlite, files, 1000)

    won = {
        (f"deal:{deal_id}", account_id, closed_at, currency, product_id, value_minor)
        for deal_id, account_id, product_id, _, status, value_minor, currency, _, closed_at, _ in state["deals"]
        if status == "won"
    }
    lines = {line[0]: line[1:] for line in state["order_lines"]}
    standing = {
        (*order, lines[order[0]][0], lines[order[0]][3]) for *order, is_cancelled in state["orders"] if not is_cancelled
    }
    assert standing == won
    assert all(line[1:3] == (0, 1.0) for line in lines.values())
