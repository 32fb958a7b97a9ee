"""Small histories and catalogues for relationships."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.artifact import NO_NUMBER, IdIndex, Products, TextColumn, in_hash_order
from models.artifact.relationships import RELATIONS, Relationships
from models.data.interactions import GUEST, Interactions
from tests.models.histories import DAY, START

Basket = tuple[int, int, Sequence[int]]
"""account or GUEST, day, products"""


def interactions_of(baskets: Sequence[Basket], n_products: int, amount: int = 100) -> Interactions:
    """Lay baskets out as order lines of one piece each, at so many minor units."""
    lines = [(account, product, order, day) for order, (account, day, held) in enumerate(baskets) for product in held]
    account, product, order, day = np.array(lines, dtype=np.int64).reshape(-1, 4).T
    n_accounts = max([0, *(basket[0] + 1 for basket in baskets)])
    return Interactions(
        account=account.astype(np.int32),
        product=product.astype(np.int32),
        order=order.astype(np.int32),
        time=START + day * DAY,
        quantity=np.ones(len(lines), dtype=np.float32),
        amount_minor=np.full(len(lines), amount, dtype=np.int64),
        account_ids=np.array([f"a{i}" for i in range(n_accounts)], dtype=object),
        product_ids=np.array(names(n_products), dtype=object),
        order_count=len(baskets),
    )


def guests(*baskets: Sequence[int]) -> list[Basket]:
    """Baskets of nobody."""
    return [(GUEST, 0, held) for held in baskets]


def names(n_products: int) -> list[str]:
    """Identifiers in hash order."""
    return in_hash_order(f"p{i}" for i in range(n_products))


def products_of(
    n_products: int,
    *,
    category: Mapping[int, str] | str = "",
    family: Mapping[int, str] | None = None,
    tier: Mapping[int, int] | None = None,
    price: Mapping[int, int] | None = None,
    retired: Sequence[int] = (),
    fees: Sequence[int] = (),
    parent: Mapping[int, str] | None = None,
    replaces: Mapping[int, str] | None = None,
) -> Products:
    """A catalogue, by product row."""
    rows = range(n_products)

    def numbers(given: Mapping[int, int] | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([(given or {}).get(i, NO_NUMBER) for i in rows], dtype=np.int64)

    return Products(
        ids=IdIndex.from_ids(names(n_products)),
        names=TextColumn.from_texts(names(n_products)),
        lines=TextColumn.from_texts("" for _ in rows),
        categories=TextColumn.from_texts(category if isinstance(category, str) else category.get(i, "") for i in rows),
        families=TextColumn.from_texts((family or {}).get(i, "") for i in rows),
        currencies=TextColumn.from_texts("" for _ in rows),
        tiers=numbers(tier),
        prices_minor=numbers(price),
        margins_minor=numbers(None),
        is_active=np.array([i not in retired for i in rows], dtype=np.bool_),
        is_merchandise=np.array([i not in fees for i in rows], dtype=np.bool_),
        parents=TextColumn.from_texts((parent or {}).get(i, "") for i in rows),
        replaced=TextColumn.from_texts((replaces or {}).get(i, "") for i in rows),
    )


def triples_of(relationships: Relationships) -> set[tuple[int, str, int]]:
    """Source, relation and target of each relationship."""
    pairs = zip(
        relationships.sources().tolist(), relationships.relation.tolist(), relationships.target.tolist(), strict=True
    )
    return {(source, RELATIONS[relation], target) for source, relation, target in pairs}


def groceries(path: str) -> tuple[Interactions, list[str]]:
    """The baskets of Groceries, and the names of its items."""
    table = pq.read_table(path)
    basket, item = (pc.dictionary_encode(table[name]).combine_chunks() for name in table.column_names[:2])
    n_lines = len(table)
    items = item.dictionary.to_pylist()
    return (
        Interactions(
            account=np.full(n_lines, GUEST, dtype=np.int32),
            product=item.indices.to_numpy().astype(np.int32),
            order=basket.indices.to_numpy().astype(np.int32),
            time=np.full(n_lines, START),
            quantity=np.ones(n_lines, dtype=np.float32),
            amount_minor=np.zeros(n_lines, dtype=np.int64),
            account_ids=np.array([], dtype=object),
            product_ids=np.array(items, dtype=object),
            order_count=len(basket.dictionary),
        ),
        items,
    )
