"""Prometheus series of one process. Names begin ``nextoffer_``; every status is observed, not only success."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS_SECONDS = (
    *(milliseconds / 1000 for milliseconds in range(1, 26)),
    *(0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Steps of one millisecond up to 25: where a checkout's promise is kept or broken."""

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """What one application counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nextoffer_requests",
            "Requests by route template, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.latency = Histogram(
            "nextoffer_request_seconds",
            "Time from the request's first byte to the answer's last, whatever the status.",
            ("route", "method"),
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "nextoffer_answers", "Recommendation answers by source.", ("source",), registry=self.registry
        )
        self.degraded = Counter(
            "nextoffer_degraded_answers", "Recommendation answers that said degraded.", registry=self.registry
        )
        self.withheld = Counter(
            "nextoffer_withheld_candidates",
            "Candidates withheld before the list was cut, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.refused_artifacts = Counter(
            "nextoffer_refused_artifacts", "Artifacts that were not good enough to be served.", registry=self.registry
        )
        self.loop_failures = Counter(
            "nextoffer_background_failures", "Failures of a background loop.", ("loop",), registry=self.registry
        )
        self._artifact = Gauge(
            "nextoffer_artifact_info", "1 for the artifact in use.", ("version",), registry=self.registry
        )
        self._artifact_as_of = Gauge(
            "nextoffer_artifact_as_of_timestamp_seconds",
            "Where the data of the artifact in use ends; its age is time() minus this.",
            registry=self.registry,
        )
        self._artifact_age = Gauge(
            "nextoffer_artifact_age_seconds", "Age of the data of the artifact in use.", registry=self.registry
        )
        self._as_of: float | None = None
        self._answer_children: dict[str, Counter] = {}
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

    def show_artifact(self, version: str, as_of_seconds: float) -> None:
        """Tell which artifact is in use."""
        self._artifact.clear()
        self._artifact.labels(version).set(1)
        self._artifact_as_of.set(as_of_seconds)
        self._as_of = as_of_seconds

    def render(self, now_seconds: float) -> bytes:
        """Return the text that Prometheus scrapes."""
        if self._as_of is not None:
            self._artifact_age.set(now_seconds - self._as_of)
        return generate_latest(self.registry)
