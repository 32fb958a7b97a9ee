"""A sales history ready to learn from: interactions, and facts about products and accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, IdIndex, Products, TextColumn, in_hash_order
from models.data.accounts import AccountFacts, account_facts
from models.data.errors import HistoryInvalid
from models.data.fingerprint import fingerprint_of
from models.data.interactions import GUEST, Interactions

PRODUCT_TEXTS = ("name", "line", "category", "family", "currency")
PRODUCT_NUMBERS = ("tier", "price_minor", "margin_minor")


@dataclass(frozen=True)
class History:
    """The interactions, facts about products and accounts in the same order of rows, and a digest of it all.

    sequence: the newest change of the database that is in it; None if it does not come from the database.
    """

    interactions: Interactions
    products: Products
    accounts: AccountFacts
    fingerprint: str
    sequence: int | None = None


def build_history(lines: pa.Table, products: pa.Table | None, accounts: pa.Table | None) -> History:
    """Assign rows to accounts and products, and sort the lines canonically.

    lines:       valid order lines: account_id (string, null or empty for a guest), order_id, product_id (string),
                 ordered_at (epoch seconds), quantity (finite), amount_minor (null where unknown).
    products:    product_id, and any of the product facts; None if only the lines are known.
    accounts:    account_id and what is known of them; they may have bought nothing yet.
    The result does not depend on the order in which the rows arrive. Raises HistoryInvalid if there are no lines.
    """
    if not lines.num_rows:
        raise HistoryInvalid("the sales history", ["no order lines: there is nothing to learn from"])
    lines = _as_learned(lines)
    account_ids, account = _rows(
        lines["account_id"], accounts["account_id"].to_pylist() if accounts is not None else []
    )
    described = products["product_id"].to_pylist() if products is not None else []
    product_ids, product = _rows(lines["product_id"], described)
    orders = pc.unique(lines["order_id"])
    order = pc.index_in(lines["order_id"], orders.take(pc.sort_indices(orders)))
    columns = (order, lines["ordered_at"], lines["quantity"], lines["amount_minor"])
    order_rows, time, quantity, amount = (column.to_numpy(zero_copy_only=False) for column in map(_flat, columns))
    canonical = np.lexsort((quantity, amount, time, account, product, order_rows))
    interactions = Interactions(
        account=account[canonical],
        product=product[canonical],
        order=order_rows[canonical].astype(np.int32),
        time=time[canonical],
        quantity=quantity[canonical],
        amount_minor=amount[canonical],
        account_ids=np.array(account_ids, dtype=object),
        product_ids=np.array(product_ids, dtype=object),
        order_count=len(orders),
    )
    facts = _product_facts(product_ids, products)
    known = account_facts(account_ids, accounts)
    return History(interactions, facts, known, fingerprint_of(interactions, facts, known))


def _as_learned(lines: pa.Table) -> pa.Table:
    account_id = pc.if_else(pc.equal(lines["account_id"], ""), pa.scalar(None, pa.string()), lines["account_id"])
    return pa.table(
        {
            "account_id": account_id,
            "order_id": lines["order_id"],
            "product_id": lines["product_id"],
            "ordered_at": pc.cast(lines["ordered_at"], pa.int64()),
            "quantity": pc.cast(lines["quantity"], pa.float32(), safe=False),
            "amount_minor": pc.fill_null(pc.cast(lines["amount_minor"], pa.int64()), 0),
        }
    )


def _flat(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _rows(column: pa.ChunkedArray, more: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return all identifiers in the artifact's order, and the row of each line's (GUEST where null)."""
    seen = {value for value in pc.unique(column).to_pylist() if value is not None}
    identifiers = in_hash_order(seen.union(more))
    rows = pc.fill_null(pc.index_in(column, pa.array(identifiers, type=pa.string())), GUEST)
    return identifiers, _flat(rows).to_numpy(zero_copy_only=False).astype(np.int32)


def _product_facts(product_ids: list[str], products: pa.Table | None) -> Products:
    known = products if products is not None else pa.table({"product_id": pa.array([], type=pa.string())})
    places = pc.index_in(pa.array(product_ids, type=pa.string()), _flat(known["product_id"]))

    def facts(name: str, default: object) -> list[Any]:
        if name not in known.column_names:
            return [default] * len(product_ids)
        values = _flat(known[name]).take(places).to_pylist()
        return [default if value is None else value for value in values]

    def texts(name: str) -> TextColumn:
        return TextColumn.from_texts(facts(name, ""))

    def numbers(name: str) -> NDArray[np.int64]:
        return np.array(facts(name, NO_NUMBER), dtype=np.int64)

    return Products(
        ids=IdIndex.from_ids(product_ids),
        names=TextColumn.from_texts(
            name or product_id for name, product_id in zip(facts("name", ""), product_ids, strict=True)
        ),
        lines=texts("line"),
        categories=texts("category"),
        families=texts("family"),
        currencies=texts("currency"),
        tiers=numbers("tier"),
        prices_minor=numbers("price_minor"),
        margins_minor=numbers("margin_minor"),
        is_active=np.array(facts("is_active", True), dtype=np.bool_),
    )
