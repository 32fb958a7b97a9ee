"""Telemetry of one application: counts, gauges and latencies, and the text that Prometheus scrapes.

With several workers, ``PROMETHEUS_MULTIPROC_DIR`` is set before this is imported: each process then writes to files
of its own there, and whichever is scraped answers for all.
"""

import math
import os
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from service.base.telemetry_series import SERIES, SHADOW_RESULTS

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {series.name.removeprefix("nextoffer_"): series.make(self.registry) for series in SERIES}
        self.requests: Counter = made["requests"]
        self.latency: Histogram = made["request_seconds"]
        self.answers: Counter = made["answers"]
        self.degraded: Counter = made["degraded_answers"]
        self.withheld: Counter = made["withheld_candidates"]
        self.unknown_products: Counter = made["unknown_products"]
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
        """Set which artifact is in use."""
        if self._version is not None:
            # Set to 0, not removed: what a worker has written to its file can't be taken back.
            self._artifact.labels(self._version).set(0)
        self._artifact.labels(version).set(1)
        self._artifact_as_of.set(as_of_seconds)
        self._version, self._as_of = version, as_of_seconds

    def show_age(self, now_seconds: float) -> None:
        """Set the age of the data of the artifact in use. Every worker does; of several the oldest is exposed."""
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
    """Remove the live gauges of workers that ended: they would be added up forever. Their counts stay."""
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
