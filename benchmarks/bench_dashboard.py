"""What a dashboard costs: 20 series that are polled, beside a hello world of the same server, as accounts grow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.table import Table

from benchmarks.asking import TimedClient, TimedResponse
from benchmarks.homes import make_key, segmented_home
from benchmarks.jobs import ROUNDS, SECONDS, Job, check, middle
from benchmarks.load import Outcome, load, request_bytes
from benchmarks.measure import console
from benchmarks.servers import Server, hello_server, nextoffer_server

SIZES = (2_469, 100_000, 1_000_000)
CHANGES = 20
PERIOD_SECONDS = 5
DASHBOARDS = 100
SEGMENTS = "/v1/segments"
LEARNED = (
    "", "?family=rfm", "/all.accounts", "/rfm.champions", "/rfm.at-risk", "/value-tier.a", "/trend.falling",
    "/cluster.1", "/all.accounts/metrics?interval=week", "/all.accounts/metrics?interval=month",
    "/rfm.champions/metrics?interval=month", "/rfm.at-risk/metrics?interval=month",
    "/value-tier.a/metrics?interval=quarter", "/revenue-tier.a/metrics?interval=quarter",
    "/trend.falling/metrics?interval=week", "/cluster.1/metrics?interval=month",
    "/rfm.cannot-lose/accounts?limit=50", "/rfm.at-risk/accounts?limit=50", "/value-tier.a/accounts?limit=50",
    "/trend.falling/accounts?limit=50",
)  # fmt: skip
"""Twenty series. What is learned stays until the next training, and yet all are answered anew after any change."""
RULED = ("/custom.wanted", "/custom.wanted/metrics?interval=month", "/custom.wanted/accounts?limit=50")
"""What a dashboard may show of a segment that people defined: it changes with each of its accounts."""
STRATEGIC = {"field": "is_strategic", "op": "eq", "value": True}
RULES = (
    {"any": [STRATEGIC, {"owns": {"lines": ["Line 7"]}}]},
    {"any": [STRATEGIC, {"owns": {"lines": ["Line 7"]}}, {"field": "rfm", "op": "eq", "value": "champions"}]},
)
"""About a third of the accounts are in each."""


@dataclass
class Size:
    """What was measured at one number of accounts."""

    n_accounts: int
    jobs: list[Job] = field(default_factory=list)
    paced: Outcome = field(default_factory=Outcome)
    learned: list[TimedResponse] = field(default_factory=list)
    ruled: list[TimedResponse] = field(default_factory=list)
    changes: list[TimedResponse] = field(default_factory=list)
    definitions: list[TimedResponse] = field(default_factory=list)


def main() -> None:
    sizes = [measure(n_accounts) for n_accounts in SIZES]
    show_polling(sizes)
    show_growth(sizes)
    for size in sizes:
        # The processor's time of all threads: what runs beside the requests is in it, too.
        share = size.paced.cpu_seconds / size.paced.elapsed / DASHBOARDS
        console.print(
            f"{size.n_accounts:,} accounts: a dashboard of {len(LEARNED)} series every {PERIOD_SECONDS} s takes "
            f"{share * PERIOD_SECONDS * 1e6:,.0f} µs of processor time each time, {share:.4%} of one core "
            f"({DASHBOARDS} of them at once, n = {size.paced.n:,})"
        )


def measure(n_accounts: int) -> Size:
    home = segmented_home(n_accounts)
    key = make_key(home, ("read", "write"))
    with hello_server() as floor, nextoffer_server(home) as ours:
        size = Size(n_accounts)
        asking = TimedClient(ours, key)
        asking.define(SEGMENTS, "Wanted", RULES[0])
        size.jobs = jobs(floor, ours, key, asking)
        for job in size.jobs:
            load(job.server.port, job.requests, seconds=0.5)
        for _ in range(ROUNDS):
            for job in size.jobs:
                job.run_full()
        rate = DASHBOARDS * len(LEARNED) / PERIOD_SECONDS
        size.paced = load(ours.port, size.jobs[-1].requests, seconds=SECONDS, rate=rate, pids=ours.pids)
        change(size, TimedClient(ours, key))  # the first connection was idle for too long
    return size


def jobs(floor: Server, ours: Server, key: str, asking: TimedClient) -> list[Job]:
    etags = {path: asking.ask("GET", SEGMENTS + path).etag for path in LEARNED}
    return [
        Job("hello world", floor, [request_bytes("GET", "/", None)]),
        Job("20 series, kept answers", ours, [request_bytes("GET", SEGMENTS + path, key) for path in LEARNED]),
        Job(
            "20 series, nothing new: 304",
            ours,
            [request_bytes("GET", SEGMENTS + path, key, etag=etags[path]) for path in LEARNED],
        ),
    ]


def change(size: Size, asking: TimedClient) -> None:
    """Change an account, then a segment's rule, and ask everything anew after each."""
    for number in range(CHANGES):
        account = {"account_id": f"account-{number}", "is_strategic": True}
        size.changes.append(asking.ask("POST", "/v1/accounts", [account]))
        # A write takes effect before it is answered: the responses that follow are computed again.
        size.learned += [asking.ask("GET", SEGMENTS + path) for path in LEARNED]
        size.ruled += [asking.ask("GET", SEGMENTS + path) for path in RULED]
        asking.ask("POST", "/v1/accounts", [account | {"is_strategic": False}])
    for number in range(CHANGES // 4):
        size.definitions.append(asking.define(SEGMENTS, "Wanted", RULES[1 - number % 2]))


def show_polling(sizes: Sequence[Size]) -> None:
    table = Table(title=f"Polling, medians of {ROUNDS} rounds in turn", title_justify="left")
    for name in ("accounts", "request", "per s", "CPU µs", "ratio of throughput", "of CPU", "n"):
        table.add_column(name, justify="left" if name == "request" else "right")
    for size in sizes:
        floor = size.jobs[0]
        for job in size.jobs:
            check(job.full)
            if "304" in job.name and any(set(outcome.statuses) != {b"304"} for outcome in job.full):
                raise RuntimeError("an answer that had not changed was sent again")
            pairs = list(zip(job.full, floor.full, strict=True))
            table.add_row(
                f"{size.n_accounts:,}",
                job.name,
                f"{middle(job.full, lambda outcome: outcome.per_second):,.0f}",
                f"{middle(job.full, lambda outcome: outcome.cpu_microseconds):.0f}",
                f"{median(a.per_second / b.per_second for a, b in pairs):.2f}",
                f"{median(a.cpu_microseconds / b.cpu_microseconds for a, b in pairs):.2f}",
                f"{sum(outcome.n for outcome in job.full):,}",
            )
    console.print(table)


def show_growth(sizes: Sequence[Size]) -> None:
    """Processor time of the answers that are made anew, and of the changes before them; ratios to the smallest size."""
    table = Table(title="After a change: medians of CPU ms, and ÷ the smallest size", title_justify="left")
    for name in ("what", *(f"{size.n_accounts:,} accounts" for size in sizes), "n each"):
        table.add_column(name, justify="left" if name == "what" else "right")
    rows = {
        "first answer of the list of all segments": [size.learned[:: len(LEARNED)] for size in sizes],
        "… of a series of the 20": [size.learned for size in sizes],
        "… of a rule's segment": [size.ruled[0::3] for size in sizes],
        "… of its metrics": [size.ruled[1::3] for size in sizes],
        "… of its accounts": [size.ruled[2::3] for size in sizes],
        "POST of an account that enters two segments": [size.changes for size in sizes],
        "PUT of a rule: everyone is placed": [size.definitions for size in sizes],
    }
    for name, samples in rows.items():
        figures = [median(response.cpu_ms for response in responses) for responses in samples]
        table.add_row(name, *(f"{figure:.2f} · {figure / figures[0]:.2f}" for figure in figures), str(len(samples[0])))
    console.print(table)


if __name__ == "__main__":
    main()
