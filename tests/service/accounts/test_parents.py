"""Parents of accounts: no cycles, and at most eight levels, by every way to write them; on both databases."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from service.accounts.errors import HierarchyChanged
from service.accounts.parent_check import fault_in
from service.imports.importer import import_file
from service.readmodel.account_hierarchy import MAX_LEVELS
from service.rows.chunks import Progress
from service.rows.options import ImportOptions
from tests.service.imports.support import read_rejects, results, write_csv


def link(account_id: str, parent_id: str | None) -> dict[str, Any]:
    return {"account_id": account_id, "parent_account_id": parent_id}


def chain(*account_ids: str) -> list[dict[str, Any]]:
    """Each account belongs to the next."""
    return [link(child, parent) for child, parent in pairwise(account_ids)]


def statuses(outcomes: Sequence[dict[str, Any]]) -> list[str]:
    return [outcome["status"] for outcome in outcomes]


def parents(engine: Engine) -> dict[str, str]:
    query = text("SELECT account_id, parent_account_id FROM accounts WHERE parent_account_id IS NOT NULL")
    with engine.connect() as connection:
        return {row.account_id: row.parent_account_id for row in connection.execute(query)}


def test_an_account_is_not_its_own_parent(api: TestClient) -> None:
    [outcome] = results(api, "/v1/accounts", [link("A", "A")])

    assert outcome["status"] == "rejected"
    [error] = outcome["errors"]
    assert error["field"] == "parent_account_id"
    assert "is the account itself" in error["reason"]
    assert api.get("/v1/accounts/A").status_code == 404


def test_the_row_that_closes_a_cycle_is_rejected_and_names_it(api: TestClient) -> None:
    results(api, "/v1/accounts", chain("A", "B", "C"))

    outcomes = results(api, "/v1/accounts", [{"account_id": "D"}, {**link("C", "A"), "name": "Acme"}])

    assert statuses(outcomes) == ["created", "rejected"]
    assert "makes a cycle: C → A → B → C" in outcomes[1]["errors"][0]["reason"]
    assert "first" in outcomes[1]["errors"][0]["reason"]
    assert api.get("/v1/accounts/C").status_code == 404  # nothing of the row is stored


def test_rows_of_one_request_count_in_their_order(api: TestClient) -> None:
    results(api, "/v1/accounts", [link("A", "B")])

    turned_too_early = results(api, "/v1/accounts", [link("B", "A"), link("A", None)])
    turned = results(api, "/v1/accounts", [link("A", None), link("B", "A")])

    assert statuses(turned_too_early) == ["rejected", "updated"]
    assert statuses(turned) == ["unchanged", "created"]


def test_a_partial_update_keeps_its_parent_and_is_not_judged(api: TestClient) -> None:
    results(api, "/v1/accounts", chain("A", "B"))

    outcomes = results(api, "/v1/accounts", [{"account_id": "A", "name": "Acme"}, link("A", "B"), link("B", None)])

    assert statuses(outcomes) == ["updated", "unchanged", "created"]
    assert api.get("/v1/accounts/A").json()["parent_account_id"] == "B"


def test_a_parent_need_not_be_stored_yet(api: TestClient) -> None:
    assert statuses(results(api, "/v1/accounts", [link("A", "unheard of")])) == ["created"]


def test_levels_are_bounded_above_and_below(api: TestClient) -> None:
    tall = [f"L{level}" for level in range(MAX_LEVELS)]  # L0 belongs to L1, ..., the last is the top

    built = results(api, "/v1/accounts", chain(*tall))
    below = results(api, "/v1/accounts", [link("under", "L0")])
    above = results(api, "/v1/accounts", [link(tall[-1], "over")])
    half = results(api, "/v1/accounts", [*chain("a", "b"), link("b", "L1"), link("c", "L1")])

    assert statuses(built) == ["created"] * (MAX_LEVELS - 1)
    assert statuses(below) == ["rejected"]
    assert f"makes {MAX_LEVELS + 1} levels of accounts, where {MAX_LEVELS} are" in below[0]["errors"][0]["reason"]
    assert statuses(above) == ["rejected"]
    assert statuses(half) == ["created", "rejected", "created"]  # a would stand below 8 others, c below 7


def test_what_is_stored_from_before_does_not_stop_other_writes(api: TestClient, engine: Engine) -> None:
    results(api, "/v1/accounts", [{"account_id": "A"}, {"account_id": "B"}, {"account_id": "C"}])
    with engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET parent_account_id = 'B' WHERE account_id = 'A'"))
        connection.execute(text("UPDATE accounts SET parent_account_id = 'A' WHERE account_id = 'B'"))

    outcomes = results(api, "/v1/accounts", [{**link("A", "B"), "name": "Acme"}, link("C", "A"), link("B", None)])

    assert statuses(outcomes) == ["updated", "updated", "updated"]


def test_of_two_writers_at_once_one_is_rejected(api: TestClient, engine: Engine) -> None:
    pairs = [(f"left {number}", f"right {number}") for number in range(12)]
    rows = [link(*pair) for pair in pairs] + [link(right, left) for left, right in pairs]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: results(api, "/v1/accounts", [row]), rows))

    outcomes = sorted(status for each in answers for status in statuses(each))
    assert outcomes == ["created"] * 12 + ["rejected"] * 12
    assert fault_in(parents(engine), parents(engine).keys()) is None


def test_a_file_has_its_cyclic_rows_rejected(engine: Engine) -> None:
    rows = [*chain("A", "B", "C", "A"), link("D", "C"), link("E", "E")]
    path = write_csv(Path("accounts.csv"), [{name: value or "" for name, value in row.items()} for row in rows])

    summary = import_file(engine, "accounts", [path], ImportOptions())

    assert (summary.rows.new, summary.rejected) == (3, 2)
    assert parents(engine) == {"A": "B", "B": "C", "D": "C"}
    first, second = read_rejects(summary.rejects_files[0])
    assert "makes a cycle: C → A → B → C" in str(first)
    assert "is the account itself" in str(second)


def test_a_file_is_judged_with_what_earlier_files_and_the_database_hold(engine: Engine) -> None:
    first = write_csv(Path("first.csv"), chain("A", "B"))
    second = write_csv(Path("second.csv"), chain("B", "C"))
    third = write_csv(Path("third.csv"), chain("C", "A"))
    import_file(engine, "accounts", [first], ImportOptions())

    for is_dry_run in (True, False):
        summary = import_file(engine, "accounts", [second, third], ImportOptions(is_dry_run=is_dry_run))
        assert summary.rejected == 1

    assert parents(engine) == {"A": "B", "B": "C"}


def test_a_file_that_others_overtake_is_not_stored(engine: Engine) -> None:
    import_file(engine, "accounts", [write_csv(Path("b.csv"), [{"account_id": "B"}])], ImportOptions())
    path = write_csv(Path("accounts.csv"), [*chain("A", "B"), *chain("X", "Y")])
    steps: list[Progress] = []

    def overtake(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) == 2:  # the first row was judged
            with engine.begin() as connection:
                connection.execute(text("UPDATE accounts SET parent_account_id = 'A' WHERE account_id = 'B'"))

    with pytest.raises(HierarchyChanged, match=r"B → A → B\. Nothing of the file was stored"):
        import_file(engine, "accounts", [path], ImportOptions(batch_rows=1), overtake)

    assert parents(engine) == {"B": "A"}
