"""Small sales histories for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from models.data.history import History, build_history

DAY = 86_400
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())

Line = tuple[str | None, str, str, int, float]
"""account, order, product, day, quantity"""


def make_history(lines: Sequence[Line], account_ids: Sequence[str] = ()) -> History:
    """A history of lines at 100 minor units a piece."""
    accounts, orders, products, days, quantities = zip(*lines, strict=True)
    table = pa.table(
        {
            "account_id": pa.array(accounts, type=pa.string()),
            "order_id": pa.array(orders),
            "product_id": pa.array(products),
            "ordered_at": pa.array([START + day * DAY for day in days]),
            "quantity": pa.array(quantities, type=pa.float64()),
            "amount_minor": pa.array([int(quantity * 100) for quantity in quantities]),
        }
    )
    accounts = pa.table({"account_id": pa.array(account_ids, type=pa.string())})
    return build_history(table, None, accounts)
