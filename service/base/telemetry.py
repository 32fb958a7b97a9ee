"""Prometheus series: every one is declared here, with what to do about it. ``docs/telemetry.md`` is made from this.

With several workers, ``PROMETHEUS_MULTIPROC_DIR`` is set before this is imported: each process then writes to files
of its own there, and whichever is scraped answers for all.
"""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LATENCY_BUCKETS_SECONDS = (
    *(milliseconds / 1000 for milliseconds in range(1, 26)),
    *(0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Steps of one millisecond up to 25: where a checkout's promise is kept or broken."""
SHADOW_BUCKETS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
SHADOW_RESULTS = ("same", "different", "failed", "skipped")
SHARE_BUCKETS = (0.0, 0.1, 0.2, 0.34, 0.5, 0.67, 0.8, 0.9, 1.0)

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Series:
    """One series. mode: how a gauge of several workers becomes one; action: what to do when it looks wrong."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    action: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    mode: Literal["livesum", "livemax", "livemin", "mostrecent"] = "livemax"

    def make(self, registry: CollectorRegistry) -> Any:
        """Make the metric object."""
        if self.kind == "counter":
            return Counter(self.name, self.help, self.labels, registry=registry)
        if self.kind == "gauge":
            return Gauge(self.name, self.help, self.labels, registry=registry, multiprocess_mode=self.mode)
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=self.buckets)

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names under which it is scraped."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        if self.kind == "gauge":
            return (self.name,)
        return tuple(f"{self.name}_{suffix}" for suffix in ("bucket", "sum", "count"))


SERIES = (
    Series(
        "nextoffer_requests",
        "counter",
        "Requests by route template, method and status; 499 where the caller hung up first.",
        "5xx: look for `request failed` in the log under the request id; 503 tells a database or an artifact that is "
        "away, see `nextoffer_database_up` and /readyz. 401 or 403: a key expired or lacks a scope. 429: see "
        "`nextoffer_rate_limited_requests`. 499: callers' time-outs are shorter than our p99.",
        ("route", "method", "status"),
    ),
    Series(
        "nextoffer_request_seconds",
        "histogram",
        "Time from a request's header to the last byte of its answer, whatever the route and status.",
        "p99 of a recommendation above its budget: add workers if the processors are busy; look for batches and "
        "imports at the same time; see /readyz for a database that is slow to fail.",
        ("route", "method"),
        LATENCY_BUCKETS_SECONDS,
    ),
    Series(
        "nextoffer_answers",
        "counter",
        "Recommendation answers by source.",
        "A growing share of `popular`: accounts are unknown to the artifact; train again, or check the identifiers "
        "that callers send. `none`: accounts that object to marketing are asked for.",
        ("source",),
    ),
    Series(
        "nextoffer_degraded_answers",
        "counter",
        "Recommendation answers that said degraded.",
        "There is no good artifact, or the database does not answer: /readyz says which. Answers go on meanwhile.",
    ),
    Series(
        "nextoffer_withheld_candidates",
        "counter",
        "Candidates withheld before the list was cut, by reason.",
        "Many `inactive`: the artifact is older than the catalogue, train again. Many `owned`: nothing is left to "
        "offer, widen the catalogue. `objected-to-marketing`: do not ask for these accounts.",
        ("reason",),
    ),
    Series(
        "nextoffer_artifact_info",
        "gauge",
        "1 for the artifact in use, 0 for those that were in use before.",
        "Two versions at 1 for more than some seconds: a worker could not load the new one; its log tells why.",
        ("version",),
    ),
    Series(
        "nextoffer_artifact_as_of_timestamp_seconds",
        "gauge",
        "Where the data of the artifact in use ends.",
        "See `nextoffer_artifact_age_seconds`.",
    ),
    Series(
        "nextoffer_artifact_age_seconds",
        "gauge",
        "Age of the data of the artifact in use.",
        "Too old: training failed or the gate rejected it; see `nextoffer artifacts list`.",
    ),
    Series(
        "nextoffer_refused_artifacts",
        "counter",
        "Artifacts that were not good enough to be served.",
        "The log names the file and the fault. The one in use stays; copy or train the artifact again.",
    ),
    Series(
        "nextoffer_background_failures",
        "counter",
        "Failures of a background loop.",
        "`changes`, `keys`, `decision-log`, `cleanup`: the database does not answer. `artifact`: the folder of "
        "artifacts can't be read. They go on by themselves when the cause is gone.",
        ("loop",),
    ),
    Series(
        "nextoffer_live_sequence",
        "gauge",
        "The newest change that answers reflect; the slowest worker's.",
        "It stands still while writes are made: see `nextoffer_live_lag_seconds`.",
        mode="livemin",
    ),
    Series(
        "nextoffer_live_lag_seconds",
        "gauge",
        "Seconds since memory was known to hold all that is committed, beyond a poll; the slowest worker's.",
        "The database does not answer or is slow, or a mass import is being applied. Answers go on, older by this.",
    ),
    Series(
        "nextoffer_live_accounts",
        "gauge",
        "Accounts whose orders changed since the artifact; the largest worker's.",
        "It grows until a new artifact is activated: memory too high means train more often.",
    ),
    Series(
        "nextoffer_database_up",
        "gauge",
        "1 while the database answers, 0 while it does not; the worst worker's.",
        "Mend the database. Recommendations go on from memory, writes get 503 with Retry-After.",
        mode="livemin",
    ),
    Series(
        "nextoffer_decision_log_queue_depth",
        "gauge",
        "Decisions that wait to be written, over all workers.",
        "It grows: the database is away or too slow for the traffic. At its bound decisions are lost.",
        mode="livesum",
    ),
    Series(
        "nextoffer_decision_log_written_decisions",
        "counter",
        "Decisions written to the decision log.",
        "It lags behind `nextoffer_answers`: see `nextoffer_decision_log_queue_depth`. Answers to `dry_run` are not "
        "written.",
    ),
    Series(
        "nextoffer_decision_log_lost_decisions",
        "counter",
        "Decisions that were answered and could not be kept.",
        "Their outcomes can't be joined. Mend the database; raise NEXTOFFER_DECISION_LOG_QUEUE_ROWS for longer "
        "outages.",
    ),
    Series(
        "nextoffer_rate_limited_requests",
        "counter",
        "Requests refused with 429.",
        "The access log names the key. Raise its limit, or have the caller use the batch route.",
    ),
    Series(
        "nextoffer_rate_limit_storage_failures",
        "counter",
        "Failures of the storage of the rate limits; it is then left alone for a second, and requests pass.",
        "Redis does not answer: nobody is limited meanwhile.",
    ),
    Series(
        "nextoffer_shadow_answers",
        "counter",
        "Answers that the shadow artifact gave unseen: same, different, failed, or skipped because of its queue.",
        "`failed`: do not activate it. `skipped`: lower the share.",
        ("result",),
    ),
    Series(
        "nextoffer_shadow_overlap_ratio",
        "histogram",
        "Share of the offered products that the shadow artifact offers too.",
        "Far below what two trainings in a row give: look at the data of the new one before activating it.",
        (),
        SHARE_BUCKETS,
    ),
    Series(
        "nextoffer_shadow_seconds",
        "histogram",
        "Time that the shadow artifact takes to decide.",
        "Above that of the live one: the new artifact is slower to serve.",
        (),
        SHADOW_BUCKETS_SECONDS,
    ),
)


class Telemetry:
    """What one application counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {series.name.removeprefix("nextoffer_"): series.make(self.registry) for series in SERIES}
        self.requests: Counter = made["requests"]
        self.latency: Histogram = made["request_seconds"]
        self.answers: Counter = made["answers"]
        self.degraded: Counter = made["degraded_answers"]
        self.withheld: Counter = made["withheld_candidates"]
        self.refused_artifacts: Counter = made["refused_artifacts"]
        self.loop_failures: Counter = made["background_failures"]
        self.live_sequence: Gauge = made["live_sequence"]
        self.live_lag: Gauge = made["live_lag_seconds"]
        self.live_accounts: Gauge = made["live_accounts"]
        self.database_up: Gauge = made["database_up"]
        self.decision_log_depth: Gauge = made["decision_log_queue_depth"]
        self.decision_log_written: Counter = made["decision_log_written_decisions"]
        self.decision_log_lost: Counter = made["decision_log_lost_decisions"]
        self.rate_limited: Counter = made["rate_limited_requests"]
        self.rate_limit_storage_failures: Counter = made["rate_limit_storage_failures"]
        self.shadow_answers: Counter = made["shadow_answers"]
        self.shadow_overlap: Histogram = made["shadow_overlap_ratio"]
        self.shadow_seconds: Histogram = made["shadow_seconds"]
        self._artifact: Gauge = made["artifact_info"]
        self._artifact_as_of: Gauge = made["artifact_as_of_timestamp_seconds"]
        self._artifact_age: Gauge = made["artifact_age_seconds"]
        # A series that appears with its first failure shows no increase: no alert would see it.
        for result in SHADOW_RESULTS:
            self.shadow_answers.labels(result)
        # What a starting worker does not know yet must not count as the least of all.
        for least in (self.live_sequence, self.database_up):
            least.set(math.inf)
        self._as_of: float | None = None
        self._version: str | None = None
        self._answer_children: dict[str, Counter] = {}
        self._withheld_children: dict[str, Counter] = {}
        self._request_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request. Finding a labelled child is the costly part, so each is kept."""
        key = (route, method, status)
        children = self._request_children.get(key)
        if children is None:
            known = method if method in KNOWN_METHODS else "other"
            children = self.requests.labels(route, known, status), self.latency.labels(route, known)
            if known == method:
                self._request_children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def count_answer(self, source: str, is_degraded: bool) -> None:
        """Count one recommendation answer."""
        child = self._answer_children.get(source)
        if child is None:
            child = self._answer_children[source] = self.answers.labels(source)
        child.inc()
        if is_degraded:
            self.degraded.inc()

    def count_withheld(self, reason: str, n: int) -> None:
        """Count candidates that were withheld."""
        child = self._withheld_children.get(reason)
        if child is None:
            child = self._withheld_children[reason] = self.withheld.labels(reason)
        child.inc(n)

    def show_artifact(self, version: str, as_of_seconds: float) -> None:
        """Tell which artifact is in use."""
        if self._version is not None:
            # Set to 0, not removed: what a worker has written to its file can't be taken back.
            self._artifact.labels(self._version).set(0)
        self._artifact.labels(version).set(1)
        self._artifact_as_of.set(as_of_seconds)
        self._version, self._as_of = version, as_of_seconds

    def show_age(self, now_seconds: float) -> None:
        """Tell how old the data of the artifact in use is. Every worker does, as the oldest is told for all."""
        if self._as_of is not None:
            self._artifact_age.set(now_seconds - self._as_of)

    def render(self, now_seconds: float) -> bytes:
        """Return the text that Prometheus scrapes: of this process, or of all workers where there are several."""
        self.show_age(now_seconds)
        folder = os.environ.get(MULTIPROCESS_VARIABLE)
        if folder is None:
            return generate_latest(self.registry)
        forget_dead_workers(Path(folder))
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_dead_workers(folder: Path) -> None:
    """Remove the live gauges of workers that ended: they would be summed up for ever. Their counts stay."""
    for path in folder.glob("gauge_live*_*.db"):
        if not is_running(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)


def is_running(pid: int) -> bool:
    """Tell whether there is such a process. Signal 0 asks, and does nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


PAGE = Path(__file__).parent.parent.parent / "docs" / "telemetry.md"
HEAD = """# Telemetry

`GET /metrics` (scope `read`) answers in Prometheus' text format, for all workers of the address that is scraped. The
board is in `operations/grafana/`, the alerts are in `operations/prometheus/`.

Made by `python -m service.base.telemetry`; edit the table there, not this page.

| series | kind | labels | what it tells | what to do about it |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page that describes every series."""
    rows = [
        f"| `{series.exposed[0] if series.kind != 'histogram' else series.name}` | {series.kind} "
        f"| {', '.join(f'`{label}`' for label in series.labels) or '-'} | {series.help} | {series.action} |\n"
        for series in SERIES
    ]
    return HEAD + "".join(rows)


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check``, only tell whether it is current."""
    if arguments == ["--check"]:
        is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        if not is_current:
            print("docs/telemetry.md is not current. Run: python -m service.base.telemetry", file=sys.stderr)  # noqa: T201
        return 0 if is_current else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
