"""A sales history ready to learn from: interactions, and facts about products and accounts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, IdIndex, Products, TextColumn, in_hash_order
from models.data.accounts import AccountFacts, account_facts
from models.data.day_zone import UTC_DAYS, DayZone
from models.data.errors import HistoryInvalid
from models.data.fingerprint import fingerprint_of
from models.data.interactions import GUEST, Interactions
from models.data.split import DAY_SECONDS
from models.exchange import UNNAMED, CurrencyLines, Exchange, ExchangeOptions, choose_exchange

PRODUCT_TEXTS = ("name", "line", "category", "family", "currency", "parent_product_id", "replaces")
PRODUCT_NUMBERS = ("tier", "price_minor", "margin_minor")
PRODUCT_FLAGS = ("is_active", "is_merchandise")
"""True where unknown."""


@dataclass(frozen=True)
class History:
    """The interactions, facts about products and accounts in the same order of rows, and a digest of it all.

    exchange: how money became money of the reporting currency. currency_lines: order lines by their own currency, most
    first.
    sequence: the newest change of the database that is in it; None if it does not come from the database.
    zone: of its days; the times of interactions are local seconds of it.
    """

    interactions: Interactions
    products: Products
    accounts: AccountFacts
    fingerprint: str
    exchange: Exchange
    currency_lines: tuple[CurrencyLines, ...]
    sequence: int | None = None
    zone: DayZone = UTC_DAYS

    def valued_products(self, day: int) -> Products:
        """The products with prices and margins in the reporting currency, at the rates of a day (since 1970).

        What can't be converted is unknown. The currencies stay those of the catalogue.
        """
        prices, margins = (
            self.exchange.convert_on(amounts, list(self.products.currencies), day, NO_NUMBER)
            for amounts in (self.products.prices_minor, self.products.margins_minor)
        )
        return replace(self.products, prices_minor=prices, margins_minor=margins)


def build_history(
    lines: pa.Table,
    products: pa.Table | None,
    accounts: pa.Table | None,
    exchange: ExchangeOptions | None = None,
    zone: DayZone = UTC_DAYS,
) -> History:
    """Assign rows to accounts and products, and sort the lines canonically.

    lines:       valid order lines: account_id (string, null or empty for a guest), order_id, product_id (string),
                 ordered_at (epoch seconds), quantity (finite), amount_minor (null where unknown), and currency of the
                 amount (null or empty where none is named; the column may be missing).
    products:    product_id, and any of the product facts; None if only the lines are known.
    accounts:    account_id and what is known of them; they may have bought nothing yet.
    exchange:    the reporting currency, and the rates that amounts are converted at on the day of their order.
    zone:        of days: times become local seconds of it.
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
    columns = (order, lines["ordered_at"], lines["quantity"])
    order_rows, instants, quantity = (column.to_numpy(zero_copy_only=False) for column in map(_flat, columns))
    time = zone.to_local(instants)
    facts = _product_facts(product_ids, products)
    money = _convert(lines, time, facts, exchange or ExchangeOptions())
    canonical = np.lexsort((quantity, money.unconverted, money.amount, time, account, product, order_rows))
    interactions = Interactions(
        account=account[canonical],
        product=product[canonical],
        order=order_rows[canonical].astype(np.int32),
        time=time[canonical],
        quantity=quantity[canonical],
        amount_minor=money.amount[canonical],
        account_ids=np.array(account_ids, dtype=object),
        product_ids=np.array(product_ids, dtype=object),
        order_count=len(orders),
        unconverted=money.unconverted[canonical] if money.unconverted.any() else None,
    )
    known = account_facts(account_ids, accounts)
    fingerprint = fingerprint_of(interactions, facts, known)
    return History(interactions, facts, known, fingerprint, money.exchange, money.lines, zone=zone)


@dataclass(frozen=True)
class _Money:
    """amount: int64 (n_lines,), in the reporting currency. unconverted: bool (n_lines,), amounts that could not be."""

    amount: NDArray[np.int64]
    unconverted: NDArray[np.bool_]
    exchange: Exchange
    lines: tuple[CurrencyLines, ...]


def _convert(lines: pa.Table, time: NDArray[np.int64], products: Products, options: ExchangeOptions) -> _Money:
    """Convert the amounts of order lines."""
    currency = _flat(lines["currency"]).dictionary_encode()
    names, codes = currency.dictionary.to_pylist(), currency.indices.to_numpy(zero_copy_only=False)
    n_lines = np.bincount(codes, minlength=len(names)).tolist()
    exchange = choose_exchange(options, dict(zip(names, n_lines, strict=True)), Counter(products.currencies))
    given, has_amount = (
        _flat(column).to_numpy(zero_copy_only=False)
        for column in (pc.fill_null(lines["amount_minor"], 0), pc.is_valid(lines["amount_minor"]))
    )
    amount, is_converted = exchange.convert(given, codes, names, time // DAY_SECONDS)
    unconverted = has_amount & ~is_converted
    n_unconverted = np.bincount(codes[unconverted], minlength=len(names)).tolist()
    counted = map(CurrencyLines, names, n_lines, n_unconverted)
    return _Money(amount, unconverted, exchange, tuple(sorted(counted, key=lambda each: (-each.lines, each.currency))))


def _as_learned(lines: pa.Table) -> pa.Table:
    account_id = pc.if_else(pc.equal(lines["account_id"], ""), pa.scalar(None, pa.string()), lines["account_id"])
    return pa.table(
        {
            "account_id": account_id,
            "order_id": lines["order_id"],
            "product_id": lines["product_id"],
            "ordered_at": pc.cast(lines["ordered_at"], pa.int64()),
            "quantity": pc.cast(lines["quantity"], pa.float32(), safe=False),
            "amount_minor": pc.cast(lines["amount_minor"], pa.int64()),
            "currency": _currencies(lines),
        }
    )


def _currencies(lines: pa.Table) -> Any:
    if "currency" not in lines.column_names:
        return pa.repeat(pa.scalar(UNNAMED, pa.string()), lines.num_rows)
    return pc.fill_null(lines["currency"], UNNAMED)


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

    def flags(name: str) -> NDArray[np.bool_]:
        return np.array(facts(name, True), dtype=np.bool_)

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
        is_active=flags("is_active"),
        is_merchandise=flags("is_merchandise"),
        parents=texts("parent_product_id"),
        replaced=texts("replaces"),
    )
