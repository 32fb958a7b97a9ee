"""The declaration of every Prometheus series, with what to do about it. ``docs/telemetry.md`` is made from this."""

from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS_SECONDS = (
    *(milliseconds / 1000 for milliseconds in range(1, 26)),
    *(0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Steps of one millisecond up to 25: where a checkout's promise is kept or broken."""
SHADOW_BUCKETS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
SHADOW_RESULTS = ("same", "different", "failed", "skipped")
SHARE_BUCKETS = (0.0, 0.1, 0.2, 0.34, 0.5, 0.67, 0.8, 0.9, 1.0)


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
        "nextoffer_unknown_products",
        "counter",
        "Products named by requests, in the basket or to exclude, that the artifact does not know.",
        "A growing share: the artifact is older than the catalogue, train again; or callers send other identifiers "
        "than those that were imported. `unknown_products` of an answer names them.",
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
