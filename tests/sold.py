"""A small world with a history behind it: sixty accounts of the coffee shop, and all that is learned of them."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import orjson

from models.artifact import CellTotals, Content, Propensities, TextColumn, dimensions
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, GROUPS, PRODUCTS, SEGMENTS
from models.customers.accounts import learn_accounts
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions, owned_matrix
from models.products.repurchases import learn_repurchases
from tests.artifacts import World, coffee_world, content_of, write_world

DAY = 86_400
N_ACCOUNTS = 60
AS_OF = datetime(2024, 2, 29, tzinfo=UTC)
AS_OF_DAY = int(AS_OF.timestamp()) // DAY
LINES = {"beans": "coffee", "grinder": "machines", "grinder-pro": "machines", "kettle": "machines", "milk": "coffee"}


def sold_world() -> World:
    """The coffee shop with sixty accounts; ``a0`` .. ``a49`` bought, the others never did."""
    names = ["beans", "grinder", "kettle", "milk", "mug"]
    owned = {f"a{number}": names[: 1 + number % 5] if number < 50 else [] for number in range(N_ACCOUNTS)}
    return replace(coffee_world(), owned=owned)


@cache
def sold_history(as_of_day: int = AS_OF_DAY) -> Interactions:
    """What they bought: each what it owns, more than once, over two years; ``a0`` the most."""
    world = sold_world()
    content = content_of(world)
    rng = np.random.default_rng(5)
    lines: list[tuple[int, int, int, int]] = []
    for account_id, products in world.owned.items():
        account = content.account_ids.row_of(account_id)
        for product_id in products:
            product = content.products.ids.row_of(product_id)
            days = rng.integers(AS_OF_DAY - 700, AS_OF_DAY, 1 + int(account_id[1:]) % 7 + 6 * (account_id == "a0"))
            lines += [(account or 0, product or 0, int(day), int(rng.integers(200, 9_000))) for day in days]
    account, product, day, amount = np.array(sorted(lines, key=lambda line: line[2])).T
    keep = day < as_of_day
    return Interactions(
        account=account[keep].astype(np.int32),
        product=product[keep].astype(np.int32),
        order=np.arange(keep.sum(), dtype=np.int32),
        time=day[keep].astype(np.int64) * DAY,
        quantity=np.ones(keep.sum(), dtype=np.float32),
        amount_minor=amount[keep].astype(np.int64),
        account_ids=np.array(list(content.account_ids.texts), dtype=object),
        product_ids=np.array(list(content.products.ids.texts), dtype=object),
        order_count=int(keep.sum()),
    )


@cache
def sold_content(as_of_day: int = AS_OF_DAY) -> Content:
    """What training would make of it, save what to offer."""
    content = content_of(sold_world())
    ids = list(content.products.ids.texts)
    lines = TextColumn.from_texts(LINES.get(product_id, "") for product_id in ids)
    products = replace(content.products, lines=lines)
    facts = AccountFacts.none(N_ACCOUNTS)
    accounts, described = learn_accounts(sold_history(as_of_day), products, facts, as_of_day * DAY, None)
    sizes = {
        ACCOUNTS: N_ACCOUNTS,
        PRODUCTS: len(ids),
        CANDIDATES: content.candidate_products.shape[1],
        dimensions.LINES: len(accounts.lines),
        SEGMENTS: len(accounts.segments.series_week),
    }
    return replace(
        content,
        products=products,
        propensities=Propensities.empty(sizes),
        repurchases=learn_repurchases(sold_history(), products, owned_matrix(sold_history()), None),
        line_cells=CellTotals.empty(sizes | {GROUPS: len(accounts.lines)}),
        category_cells=CellTotals.empty(sizes),
        report=orjson.dumps({"customers": described}),
        **vars(accounts),
    )


def write_sold(root: Path, as_of_day: int = AS_OF_DAY) -> str:
    """Write its artifact under ``root`` and return its version."""
    as_of = datetime.fromtimestamp(as_of_day * DAY, UTC).isoformat().replace("+00:00", "Z")
    return write_world(root, sold_world(), as_of=as_of, content=sold_content(as_of_day))
