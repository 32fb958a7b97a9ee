"""What 200 policies add to the cost of an answer, and to a change of the catalogue."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.asking import post
from benchmarks.bench_serving import account_requests, basket_requests
from benchmarks.homes import FOLDER, known, made_home, make_key
from benchmarks.jobs import ROUNDS, Job, check, middle
from benchmarks.load import load
from benchmarks.measure import console
from benchmarks.servers import nextoffer_server
from benchmarks.worlds import N_CATEGORIES, N_LINES, grouped_products, world, write_content

N_ACCOUNTS = 2_469
N_POLICIES = 200
COUNTRIES = ("US", "CA", "DE", "FR", "IT", "ES", "PL", "SE")
SECTORS = ("public", "retail", "health", "finance", "energy")


def main() -> None:
    home = made_home("grouped", write_grouped_world)
    plain, ruled = (copy_of(home, name) for name in ("policies-0", f"policies-{N_POLICIES}"))
    accounts, products = known(plain)
    for home, made in ((plain, []), (ruled, list(policies()))):
        store(home, accounts, made)
    with nextoffer_server(plain) as without, nextoffer_server(ruled) as with_policies:
        jobs = [
            Job(f"GET account, {n} policies", server, account_requests(accounts, make_key(home)))
            for n, server, home in ((0, without, plain), (N_POLICIES, with_policies, ruled))
        ]
        jobs += [
            Job(f"POST basket of 3, {n} policies", server, basket_requests(products, 3, make_key(home)))
            for n, server, home in ((0, without, plain), (N_POLICIES, with_policies, ruled))
        ]
        for job in jobs:
            load(job.server.port, job.requests, seconds=1.0)
        for _ in range(ROUNDS):
            for job in jobs:
                job.run_full()
    show(jobs)


def show(jobs: list[Job]) -> None:
    table = Table(title=f"Answers with policies, medians of {ROUNDS} rounds in turn", title_justify="left")
    for name in ("request", "per s", "CPU µs", "CPU beside none", "n"):
        table.add_column(name, justify="left" if name == "request" else "right")
    for place, job in enumerate(jobs):
        check(job.full)
        before = jobs[place - place % 2]
        pairs = zip(job.full, before.full, strict=True)
        table.add_row(
            job.name,
            f"{middle(job.full, lambda outcome: outcome.per_second):,.0f}",
            f"{middle(job.full, lambda outcome: outcome.cpu_microseconds):.0f}",
            f"{median(a.cpu_microseconds / b.cpu_microseconds for a, b in pairs):.3f}",
            f"{sum(outcome.n for outcome in job.full):,}",
        )
    console.print(table)


def write_grouped_world(root: Path) -> str:
    content = replace(world(N_ACCOUNTS, np.random.default_rng(1)), products=grouped_products())
    return write_content(root, content, "2024-01-01T00:00:00Z")


def copy_of(home: Path, name: str) -> Path:
    copied = FOLDER / name
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(home, copied)
    return copied


def store(home: Path, accounts: list[str], made: list[dict[str, Any]]) -> None:
    """Describe accounts and store policies, over HTTP."""
    key, rng = make_key(home, ("admin",)), random.Random(2)  # noqa: S311
    rows = [{"account_id": account_id, "attributes": attributes(rng)} for account_id in accounts]
    with nextoffer_server(home) as server:
        post(server.port, key, "/v1/accounts", rows)
        for policy in made:
            post(server.port, key, "/v1/policies", policy)


def attributes(rng: random.Random) -> dict[str, Any]:
    """One account in ten has no country."""
    country = {"country": rng.choice(COUNTRIES)} if rng.random() > 0.1 else {}
    return {**country, "sector": rng.choice(SECTORS), "employees": rng.randint(1, 5_000)}


def policies() -> Iterator[dict[str, Any]]:
    """A quarter each by country, by size and sector, by price, and by what is owned at a placement; some end.

    Those by country and price are of accounts alone: what is not known would else be withheld from every basket.
    """
    rng = random.Random(3)  # noqa: S311
    for number in range(N_POLICIES):
        categories = [f"Category {rng.randrange(N_CATEGORIES)}" for _ in range(3)]
        lines = [f"Line {rng.randrange(N_LINES)}"]
        size = {"attribute": "employees", "op": "lt", "value": rng.randrange(5, 500)}
        country = {"attribute": "country", "op": "in", "values": rng.sample(COUNTRIES, 2)}
        price = {"product": "price_minor", "op": "gt", "value": rng.randrange(500, 5_000)}
        rules: dict[int, dict[str, Any]] = {
            0: {"all": [{"request": "has_account", "op": "eq", "value": True}, country]},
            1: {"all": [size, {"attribute": "sector", "op": "eq", "value": rng.choice(SECTORS)}]},
            2: {"all": [price, size, {"request": "has_account", "op": "eq", "value": True}]},
            3: {"all": [{"owns": {"lines": lines}}, {"request": "placement", "op": "eq", "value": "newsletter"}]},
        }
        policy: dict[str, Any] = {"name": f"Policy {number}", "type": "eligibility", "withhold_if": rules[number % 4]}
        policy |= {"scope": {"categories": categories}} if number % 2 else {"scope": {"lines": lines}}
        yield policy | ({"valid_until": "2199-01-01"} if number % 20 == 0 else {})
