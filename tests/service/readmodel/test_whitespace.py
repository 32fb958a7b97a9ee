"""Rankings of a row's accounts stay in memory up to a bound."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from service.readmodel import whitespace
from service.readmodel.whitespace import RowKind, WhitespaceDimension

N_ACCOUNTS = 10_000
N_ROWS = 40


def test_ranked_accounts_take_no_more_memory_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    likely, factors = rng.random((N_ACCOUNTS, N_ROWS)).astype(np.float16), rng.random(N_ACCOUNTS).astype(np.float32)
    demand: Any = SimpleNamespace(likely=likely, factors=factors)
    dimension = WhitespaceDimension(RowKind.LINE, cast(Any, None), demand, cast(Any, None), np.empty(0, np.float32), {})
    monkeypatch.setattr(whitespace, "MAX_RANKED_BYTES", 10 * 4 * N_ACCOUNTS)

    for position in [*range(N_ROWS), *range(N_ROWS)]:
        ranked = dimension.accounts_without(position)
        expected = np.argsort(-likely[:, position].astype(np.float32) * factors, kind="stable")

        assert ranked.tolist() == expected.tolist()
        assert sum(kept.nbytes for kept in dimension._ranked.values()) <= whitespace.MAX_RANKED_BYTES
