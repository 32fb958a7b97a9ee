"""The fingerprint of a history: equal data has equal digests, and any changed fact another one."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.data.history import build_history

Rows = list[dict[str, Any]]

LINES: Rows = [
    {"account_id": "a", "order_id": "1", "product_id": "x", "ordered_at": 100, "quantity": 1.0, "amount_minor": 50},
    {"account_id": "a", "order_id": "1", "product_id": "y", "ordered_at": 100, "quantity": 2.0, "amount_minor": 70},
    {"account_id": "b", "order_id": "2", "product_id": "x", "ordered_at": 200, "quantity": 1.0, "amount_minor": 50},
    {"account_id": None, "order_id": "3", "product_id": "y", "ordered_at": 300, "quantity": 1.0, "amount_minor": 35},
]
PRODUCTS: Rows = [
    {
        "product_id": product_id, "name": f"Name of {product_id}", "line": "garden", "category": "garden/tools",
        "family": "spades", "currency": "EUR", "tier": 1, "price_minor": 900, "margin_minor": 90, "is_active": True,
        "is_merchandise": True, "parent_product_id": "p", "replaces": "q",
    }
    for product_id in ("x", "y")
]  # fmt: skip
ACCOUNTS: Rows = [
    {"account_id": "a", "is_strategic": True, "sector": "mining", "staff": 12, "is_listed": True},
    {"account_id": "b", "is_strategic": False, "sector": "trade", "staff": 40, "is_listed": False},
]


def fingerprint(lines: Rows = LINES, products: Rows = PRODUCTS, accounts: Rows = ACCOUNTS) -> str:
    tables = (pa.Table.from_pylist(rows) for rows in (lines, products, accounts))
    line_table, product_table, account_table = tables
    return build_history(line_table, product_table, account_table).fingerprint


def changed(rows: Rows, change: dict[str, Any]) -> Rows:
    return [rows[0] | change, *rows[1:]]


def test_the_order_of_rows_and_of_columns_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    turned = [{name: row[name] for name in reversed(row)} for row in ACCOUNTS]

    shuffled = [LINES[n] for n in rng.permutation(len(LINES))]

    assert fingerprint(shuffled, PRODUCTS[::-1], turned[::-1]) == fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "b"},
        {"account_id": None},
        {"product_id": "y"},
        {"order_id": "2"},
        {"ordered_at": 101},
        {"quantity": 3.0},
        {"amount_minor": 51},
    ],
)
def test_another_fact_of_a_line_is_seen(change: dict[str, Any]) -> None:
    assert fingerprint(lines=changed(LINES, change)) != fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"line": "kitchen"},
        {"category": "garden/seeds"},
        {"family": "rakes"},
        {"currency": "USD"},
        {"tier": 2},
        {"tier": None},
        {"price_minor": 901},
        {"margin_minor": 91},
        {"is_active": False},
        {"is_merchandise": False},
        {"parent_product_id": "z"},
        {"replaces": "z"},
    ],
)
def test_another_fact_of_a_product_is_seen(change: dict[str, Any]) -> None:
    assert fingerprint(products=changed(PRODUCTS, change)) != fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"is_strategic": False},
        {"sector": "trade"},
        {"sector": None},
        {"staff": 13},
        {"is_listed": False},
        {"account_id": "c"},
        {"region": "north"},
    ],
)
def test_another_fact_of_an_account_is_seen(change: dict[str, Any]) -> None:
    accounts = [{"region": None} | row for row in changed(ACCOUNTS, change)]

    assert fingerprint(accounts=accounts) != fingerprint()


def test_one_more_line_product_or_account_is_seen() -> None:
    more = [
        fingerprint(lines=[*LINES, LINES[0]]),
        fingerprint(products=[*PRODUCTS, PRODUCTS[0] | {"product_id": "z"}]),
        fingerprint(accounts=[*ACCOUNTS, ACCOUNTS[1] | {"account_id": "c"}]),
    ]

    assert len({*more, fingerprint()}) == 4


def test_an_attribute_that_nobody_has_and_a_number_in_another_type_change_nothing() -> None:
    bare = [row | {"region": None} for row in ACCOUNTS]
    fractional = [row | {"staff": float(row["staff"])} for row in ACCOUNTS]

    assert fingerprint(accounts=bare) == fingerprint(accounts=fractional) == fingerprint()


def test_texts_do_not_run_into_each_other() -> None:
    first = changed(PRODUCTS, {"name": "ab", "line": "c"})
    other = changed(PRODUCTS, {"name": "a", "line": "bc"})

    assert fingerprint(products=first) != fingerprint(products=other)


def test_a_number_is_not_its_text() -> None:
    texts = [row | {"staff": str(row["staff"])} for row in ACCOUNTS]

    assert fingerprint(accounts=texts) != fingerprint()
