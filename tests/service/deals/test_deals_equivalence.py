"""Properties: neither the batches, the order of rows nor repetitions matter, and the orders are the won deals."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.imports.importer import import_file
from service.rows.options import ImportOptions
from tests.service.imports.support import State, database_state, write_csv
from tests.service.imports.test_equivalence import FEW, fresh_database

HEADERS = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["a1", "a2", ""]),
        "stage": st.sampled_from(["Demo", "Won", "Closed Won", "Lost", "Signed", ""]),
        "status": st.sampled_from(["", "", "open", "won"]),
        "is_won": st.sampled_from(["", "", "1", "0"]),
        "currency": st.sampled_from(["EUR", "JPY", ""]),
        "closed_at": st.sampled_from(["2024-01-01", "2024-01-02T10:00:00+02:00", ""]),
        "expected_close": st.sampled_from(["2024-02-01", ""]),
        "deal_value": st.sampled_from(["70", ""]),
    }
)
LINES = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from(["p1", "P 1", "p2", ""]),
        "quantity": st.sampled_from(["1", "2", ""]),
        "value": st.sampled_from(["1.005", "9.99", "", "-3"]),
    }
)


def rows_of(deals: dict[str, tuple[dict[str, str], list[dict[str, str]]]]) -> list[dict[str, str]]:
    return [{"deal_id": key, **header, **line} for key, (header, lines) in deals.items() for line in lines]


DEALS = st.dictionaries(
    st.sampled_from(["d1", "d2", "d3"]), st.tuples(HEADERS, st.lists(LINES, min_size=1, max_size=3)), min_size=1
)
FILES = st.lists(DEALS.map(rows_of).flatmap(st.permutations), min_size=1, max_size=3)


def state_after(template: Path, files: list[Any], batch_rows: int, times: int = 1) -> State:
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
    migrated_sqlite: Path, files: list[Any], batch_rows: int, times: int
) -> None:
    assert state_after(migrated_sqlite, files, batch_rows, times) == state_after(migrated_sqlite, files, 1000)


@FEW
@given(files=FILES)
def test_the_orders_that_stand_are_the_won_deals_that_have_products(migrated_sqlite: Path, files: list[Any]) -> None:
    state = state_after(migrated_sqlite, files, 1000)

    lines: dict[str, set[Any]] = {}
    for deal_id, *line in state["deal_lines"]:
        lines.setdefault(deal_id, set()).add(tuple(line[:3]))
    won = {
        (f"deal:{deal_id}", account_id, closed_at, currency, frozenset(lines[deal_id]))
        for deal_id, account_id, _, status, _, currency, _, closed_at, _ in state["deals"]
        if status == "won" and deal_id in lines
    }
    ordered: dict[str, set[Any]] = {}
    for order_id, *line in state["order_lines"]:
        ordered.setdefault(order_id, set()).add(tuple(line[:3]))
    standing = {(*order, frozenset(ordered[order[0]])) for *order, is_cancelled in state["orders"] if not is_cancelled}
    assert standing == won
