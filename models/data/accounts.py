"""Facts about accounts beside their purchases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

KNOWN = ("account_id", "name", "parent_account_id", "is_strategic", "attributes")


@dataclass(frozen=True)
class AccountFacts:
    """A accounts. is_strategic: bool (A,), important regardless of their value today.

    attributes: key -> object (A,), texts, numbers and booleans as they were given, None where nothing was. Nested
                values are left out: nothing is learned from them.
    """

    is_strategic: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[np.object_]]

    @classmethod
    def none(cls, n_accounts: int) -> "AccountFacts":
        """Facts of accounts of which nothing is known."""
        return cls(np.zeros(n_accounts, dtype=np.bool_), {})


def account_facts(account_ids: Sequence[str], described: pa.Table | None) -> AccountFacts:
    """Read facts in the order of the accounts.

    described: account_id, and any of is_strategic and attributes (JSON text); every other column is an attribute.
    """
    facts = AccountFacts.none(len(account_ids))
    if described is None:
        return facts
    row_of = {account_id: row for row, account_id in enumerate(account_ids)}
    rows = np.array([row_of[account_id] for account_id in described["account_id"].to_pylist()], dtype=np.int64)
    if "is_strategic" in described.column_names:
        facts.is_strategic[rows] = [value in (True, 1, "true", "1") for value in described["is_strategic"].to_pylist()]
    columns: dict[str, NDArray[np.object_]] = {}
    for name in described.column_names:
        if name not in KNOWN:
            _fill(columns, name, rows.tolist(), described[name].to_pylist(), len(account_ids))
    if "attributes" in described.column_names:
        for row, text in zip(rows.tolist(), described["attributes"].to_pylist(), strict=True):
            for name, value in _read(text).items():
                _fill(columns, name, [row], [value], len(account_ids))
    return AccountFacts(facts.is_strategic, columns)


def _read(text: str | None) -> dict[str, Any]:
    given = json.loads(text) if text and text != "{}" else {}
    return given if isinstance(given, dict) else {}


def _fill(
    columns: dict[str, NDArray[np.object_]], name: str, rows: list[int], values: list[Any], n_accounts: int
) -> None:
    if name not in columns:
        columns[name] = np.full(n_accounts, None, dtype=object)
    for row, value in zip(rows, values, strict=True):
        if isinstance(value, str | bool | int | float):
            columns[name][row] = value
