"""What 200 policies cost in lists of 200,000 accounts: targets, do-not-pitch, white space. In one process."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.bench_policies import attributes, policies
from benchmarks.measure import console
from benchmarks.worlds import grouped_products, world
from service.policies.schemas import PolicyIn
from service.readmodel.active_policies import NO_SWITCHES, ActivePolicies
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.listed_policies import ListedPolicies, offerable_products
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicySet
from service.readmodel.policy_accounts import AccountColumns, AccountTerms, attribute_columns, attribute_names
from service.readmodel.policy_products import NO_POLICY, ProductPolicies
from service.readmodel.product_columns import ProductColumns

N_ACCOUNTS = 200_000
N_OF_CELL = 500
RUNS = 7
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def main() -> None:
    state = LiveState(replace(world(N_ACCOUNTS, np.random.default_rng(1)), products=grouped_products()), 0)
    scoped = list(policies())
    unscoped = [{name: part for name, part in each.items() if name != "scope"} for each in scoped]
    table = Table(title=f"CPU of lists over {N_ACCOUNTS:,} accounts, medians of {RUNS}", title_justify="left")
    for name in ("policies", "list", "ms", "withheld"):
        table.add_column(name, justify="left" if name in ("policies", "list") else "right")
    for name, made in (("in scopes", scoped), ("of all products", unscoped)):
        active = activate(state, made)
        for label, job in jobs(state, active):
            milliseconds, share = measure(job)
            table.add_row(f"{len(made)} {name}", label, f"{milliseconds:.2f}", f"{share:.2f}")
    console.print(table)


def activate(state: LiveState, made: list[dict[str, Any]]) -> ActivePolicies:
    """Make policies as the live section does, with attributes of every account."""
    compiled = PolicySet([PolicyIn.model_validate(each).policy(f"p-{number}") for number, each in enumerate(made)])
    terms, account_ids, rng = compiled.terms["account"], list(state.content.account_ids.texts), random.Random(2)  # noqa: S311
    stored = {account_id: attributes(rng) for account_id in account_ids}
    columns = AccountColumns.of_artifact(state, attribute_columns(attribute_names(terms), account_ids, stored))
    accounts = AccountTerms(state, terms, columns.values_of(terms))
    products = ProductPolicies(compiled, ProductColumns(state.part(CatalogueView)))
    return ActivePolicies(compiled, accounts, products, NO_SWITCHES)


def jobs(state: LiveState, active: ActivePolicies) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what lists look up, each of the product that most policies concern."""

    def build() -> Any:
        vars(active).pop("for_any_request", None)
        _ = active.for_any_request
        return np.full(1, NO_POLICY)

    yield "prepared once, after policies or products changed", build
    listed = ListedPolicies(active, NOW)
    rows = np.random.default_rng(0).permutation(N_ACCOUNTS).astype(np.int32)
    product = np.bitwise_count(active.for_any_request.products.words).sum(axis=1).argmax(keepdims=True)
    products = offerable_products(state)
    account_id = state.content.account_ids.texts[0]
    yield "targets, the first 1,024 accounts", lambda: listed.withholding(rows[:1024], product)
    yield "targets, every account", lambda: listed.withholding(rows, product)
    yield "do-not-pitch, once after each change", lambda: listed.withholding_from_all(products)
    yield (
        f"a cell of {N_OF_CELL} products, 1,024 accounts",
        lambda: listed.withholding(rows[:1024], products[:N_OF_CELL]),
    )
    yield "white space of an account", lambda: listed.withholding_each(account_id, 0, products)


def measure(job: Callable[[], Any]) -> tuple[float, float]:
    """Return milliseconds of CPU, and the share that is withheld."""
    seconds = []
    for _ in range(RUNS):
        begun = time.process_time()
        result = job()
        seconds.append(time.process_time() - begun)
    return 1000 * median(seconds), float(np.mean(result != NO_POLICY))
