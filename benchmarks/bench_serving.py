"""What an answer costs, beside a hello world of the same server: throughput, latency, processor time, memory, start."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.homes import artifact_folder, demo_home, known, make_key, size_mib, synthetic_home
from benchmarks.jobs import ROUNDS, SECONDS, Job, check, middle
from benchmarks.load import load, request_bytes
from benchmarks.measure import console
from benchmarks.ruled import N_CAPPED, N_GOALS, N_POLICIES, ruled_home
from benchmarks.servers import hello_server, nextoffer_server

SIZES = (2_469, 200_000, 2_000_000)
N_REQUESTS = 5_000
BATCH = 1_000
RULES = f"{N_POLICIES} policies, {N_GOALS} goals, {N_CAPPED:,} capped"


def main() -> None:
    home = demo_home()
    key = make_key(home)
    accounts, products = known(home)
    under_rules = ruled_home()
    rules_key = make_key(under_rules)
    with hello_server() as floor, nextoffer_server(home) as ours, nextoffer_server(under_rules) as ruled:
        jobs = [
            Job("hello world", floor, [request_bytes("GET", "/", None)]),
            Job("hello world, POST", floor, [request_bytes("POST", "/", None, b"{}")]),
            Job("hello world returning a dict", floor, [request_bytes("GET", "/dict", None)]),
            Job("GET account", ours, account_requests(accounts, key)),
            Job("POST basket of 3", ours, basket_requests(products, 3, key)),
            Job("… in one write", ours, basket_requests(products, 3, key), is_in_one_write=True),
            Job("POST basket of 20", ours, basket_requests(products, 20, key)),
            Job("… in one write", ours, basket_requests(products, 20, key), is_in_one_write=True),
            Job(f"GET account, {RULES}", ruled, account_requests(accounts, rules_key)),
            Job(f"POST basket of 3, {RULES}", ruled, basket_requests(products, 3, rules_key)),
            Job("POST batch of 1,000", ours, batch_requests(accounts, key), 2),
            Job("POST batch of 1,000, dry run", ours, batch_requests(accounts, key, dry_run=True), 2),
        ]
        for job in jobs:
            load(job.server.port, job.requests, seconds=0.5)
        for _ in range(ROUNDS):
            for job in jobs:
                job.run()
    show_serving(jobs)
    show_growth()
    show_memory(home)


def show_serving(jobs: Sequence[Job]) -> None:
    title = f"Serving, medians of {ROUNDS} rounds in turn; latency at 60 % load; POSTs in two writes unless said"
    table = Table(title=title, title_justify="left")
    for name in ("request", "per s", "CPU µs", "p50 ms", "p99 ms", "p99.9 ms", "ratio of throughput", "of CPU", "n"):
        table.add_column(name, justify="left" if name == "request" else "right")
    floor = jobs[0]
    for job in jobs:
        check(job.full + job.partial)
        table.add_row(
            job.name,
            f"{middle(job.full, lambda outcome: outcome.per_second):,.0f}",
            f"{middle(job.full, lambda outcome: outcome.cpu_microseconds):.0f}",
            *(
                f"{median(outcome.percentile_ms(percent) for outcome in job.partial):.2f}"
                for percent in (50.0, 99.0, 99.9)
            ),
            f"{median(a.per_second / b.per_second for a, b in zip(job.full, floor.full, strict=True)):.2f}",
            f"{median(b.cpu_microseconds / a.cpu_microseconds for a, b in zip(job.full, floor.full, strict=True)):.2f}",
            f"{sum(outcome.n for outcome in job.full):,}",
        )
    console.print(table)
    single = next(job for job in jobs if job.name == "GET account")
    for job in jobs:
        if "batch" in job.name:
            per_account = [BATCH * a.per_second / b.per_second for a, b in zip(job.full, single.full, strict=True)]
            console.print(f"{job.name}: {median(per_account):.1f} times as many accounts a second as GET account")


def show_growth() -> None:
    """GET per account at three sizes: processor time per answer, start-up, memory of 1, 2 and 4 workers."""
    table = Table(title="Growth with the number of accounts", title_justify="left")
    for name in (
        "accounts",
        "artifact MiB",
        "CPU µs",
        "÷ smallest",
        "ready s",
        "÷ floor",
        "PSS MiB, 1 · 2 · 4 workers",
    ):
        table.add_column(name, justify="right")
    smallest = 0.0
    for n_accounts in SIZES:
        home = synthetic_home(n_accounts)
        key = make_key(home)
        numbers = random.Random(1).sample(range(n_accounts), min(N_REQUESTS, n_accounts))  # noqa: S311
        requests = account_requests([f"account-{number}" for number in numbers], key)
        with nextoffer_server(home) as server:
            load(server.port, requests, seconds=1.0)
            rounds = [load(server.port, requests, seconds=SECONDS, pids=server.pids) for _ in range(ROUNDS)]
            check(rounds)
            memory = [server.pss_mib()]
        cpu = middle(rounds, lambda outcome: outcome.cpu_microseconds)
        smallest = smallest or cpu
        ready, floor = start_up(home)
        memory += [memory_of(home, requests, workers) for workers in (2, 4)]
        table.add_row(
            f"{n_accounts:,}",
            f"{size_mib(home):,.0f}",
            f"{cpu:.0f}",
            f"{cpu / smallest:.2f}",
            f"{median(ready):.2f}",
            f"{median(a / b for a, b in zip(ready, floor, strict=True)):.2f}",
            " · ".join(f"{figure:,.0f}" for figure in memory),
        )
    console.print(table)


def start_up(home: Path) -> tuple[list[float], list[float]]:
    """Seconds to ready, beside a bare Python that starts and makes the checksums of the same files."""
    ready: list[float] = []
    floor: list[float] = []
    folder = artifact_folder(home)
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", CHECKSUMS, str(folder)], check=True)
        floor.append(time.perf_counter() - begun)
        with nextoffer_server(home) as server:
            ready.append(server.seconds_to_ready)
    return ready, floor


CHECKSUMS = """
import hashlib, pathlib, sys
for path in pathlib.Path(sys.argv[1]).iterdir():
    with path.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")
"""


def memory_of(home: Path, requests: Sequence[bytes], workers: int) -> float:
    with nextoffer_server(home, workers) as server:
        load(server.port, requests, seconds=2.0, connections=32)
        return server.pss_mib()


def show_memory(home: Path) -> None:
    table = Table(title="Memory on the demo's artifact, proportional set size after load", title_justify="left")
    for name in ("workers", "PSS MiB", "each further worker MiB"):
        table.add_column(name, justify="right")
    accounts, _ = known(home)
    requests = account_requests(accounts, make_key(home))
    before, before_workers = 0.0, 0
    for workers in (1, 2, 4):
        memory = memory_of(home, requests, workers)
        further = f"{(memory - before) / (workers - before_workers):,.0f}" if before else "-"
        table.add_row(str(workers), f"{memory:,.0f}", further)
        before, before_workers = memory, workers
    console.print(table)


def account_requests(accounts: Sequence[str], key: str) -> list[bytes]:
    drawn = random.Random(1).choices(accounts, k=N_REQUESTS)  # noqa: S311
    return [request_bytes("GET", f"/v1/recommendations/{account}", key) for account in drawn]


def basket_requests(products: Sequence[str], size: int, key: str) -> list[bytes]:
    rng = random.Random(1)  # noqa: S311
    bodies = [json.dumps({"basket": rng.sample(products, size)}).encode() for _ in range(N_REQUESTS)]
    return [request_bytes("POST", "/v1/recommendations", key, body) for body in bodies]


def batch_requests(accounts: Sequence[str], key: str, *, dry_run: bool = False) -> list[bytes]:
    rng = random.Random(1)  # noqa: S311
    bodies = [{"account_ids": rng.choices(accounts, k=BATCH), "dry_run": dry_run} for _ in range(20)]
    return [request_bytes("POST", "/v1/recommendations/batch", key, json.dumps(body).encode()) for body in bodies]
