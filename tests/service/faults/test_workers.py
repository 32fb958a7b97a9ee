"""Several workers behind one address: one telemetry, one artifact, none that is missed when it dies."""

import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import ProductSpec, World, write_world
from tests.service.conftest import make_key, wait_until
from tests.service.processes import Server, call, serving

URL = "/v1/recommendations"
ACCOUNTS = ("ann", "bob")


def world_of(prefix: str) -> World:
    """A world whose products are identified by their prefix."""
    ids = [f"{prefix}-{number}" for number in range(6)]
    return World(
        products=[ProductSpec(product_id) for product_id in ids],
        owned=dict.fromkeys(ACCOUNTS, ids[:1]),
        neighbours={ids[0]: {product_id: 1 / number for number, product_id in enumerate(ids[1:], 1)}},
        popular=ids,
    )


@pytest.fixture
def versions(artifacts_dir: Path) -> dict[str, str]:
    """Two artifacts without a product in common, by the prefix of their products; the first is active."""
    made = {
        write_world(artifacts_dir, world_of(prefix), as_of=f"2024-02-{day}T00:00:00Z", sequence=0): prefix
        for prefix, day in (("old", 27), ("new", 28))
    }
    ArtifactStore(artifacts_dir, smoke_test).activate(next(iter(made)))
    return made


@pytest.fixture
def key(sqlite_url: str) -> str:
    """A key that opens everything."""
    return make_key(sqlite_url, "admin")


@pytest.fixture
def server(sqlite_url: str, artifacts_dir: Path, versions: dict[str, str]) -> Iterator[Server]:
    """Two workers."""
    with serving(sqlite_url, artifacts_dir, workers=2) as made:
        yield made


def workers_of(server: Server) -> list[int]:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def metric(text: str, name: str, **labels: str) -> float:
    total = 0.0
    for line in text.splitlines():
        if re.match(rf"{name}(\{{|\s)", line) and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


def metrics(server: Server, key: str) -> str:
    return call(server, "GET", "/metrics", x_api_key=key)[2].decode()


def test_any_worker_exposes_the_telemetry_of_all(server: Server, key: str) -> None:
    for _ in range(40):
        assert call(server, "GET", f"{URL}/ann", x_api_key=key)[0] == 200
    for _ in range(10):
        assert call(server, "GET", f"{URL}/ann")[0] == 401

    route = "/v1/recommendations/{account_id}"
    # An answer is counted after it is sent.
    wait_until(lambda: metric(metrics(server, key), "nextoffer_requests_total", route=route, status="401") == 10)
    expositions = [metrics(server, key) for _ in range(6)]

    for text in expositions:
        assert metric(text, "nextoffer_requests_total", route=route, status="200") == 40
        assert metric(text, "nextoffer_requests_total", route=route, status="401") == 10
        assert metric(text, "nextoffer_request_seconds_count", route=route) == 50
        assert metric(text, "nextoffer_answers_total", source="personalized") == 40
        assert metric(text, "nextoffer_artifact_info") == 1


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_leaves_no_gauge_behind(server: Server, key: str) -> None:
    before = workers_of(server)
    wait_until(lambda: metric(metrics(server, key), "nextoffer_database_up") == 1)

    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(server)) - set(before)) == 1)
    wait_until(lambda: len(workers_of(server)) == 2)

    wait_until(lambda: call(server, "GET", f"{URL}/ann", x_api_key=key)[0] == 200)
    text = metrics(server, key)
    assert metric(text, "nextoffer_artifact_info") == 1
    assert metric(text, "nextoffer_decision_log_queue_depth") < 100


@pytest.mark.slow
def test_sigterm_ends_all_of_them_without_a_failed_answer(server: Server, key: str) -> None:
    pids = workers_of(server)

    code = server.terminate()

    assert code == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


class Caller(threading.Thread):
    """Sends requests on one connection until it is stopped, and keeps the answers."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__()
        self.is_over = threading.Event()
        self.statuses: Counter[int | str] = Counter()
        self.answers: Counter[tuple[str, str]] = Counter()
        self._server = server
        self._headers = {"X-API-Key": key}

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        while not self.is_over.is_set():
            try:
                connection.request("GET", f"{URL}/ann?limit=5", headers=self._headers)
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except OSError as error:
                self.statuses[type(error).__name__] += 1
                connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
                continue
            self.statuses[answer.status] += 1
            prefixes = "+".join(sorted({offer["product_id"].partition("-")[0] for offer in body["offers"]}))
            self.answers[body["artifact_version"], prefixes] += 1
        connection.close()


def test_artifacts_are_swapped_and_rolled_back_under_load_without_a_failed_or_mixed_answer(
    server: Server, key: str, versions: dict[str, str]
) -> None:
    old, new = versions
    callers = [Caller(server, key) for _ in range(4)]
    for caller in callers:
        caller.start()

    def is_everywhere(version: str) -> bool:
        live = {json.loads(call(server, "GET", f"{URL}/ann", x_api_key=key)[2])["artifact_version"] for _ in range(12)}
        return live == {version}

    for _ in range(3):
        status, _, body = call(server, "POST", f"/v1/artifacts/{new}/activate", b"", x_api_key=key)
        assert (status, json.loads(body)["is_active"]) == (200, True)
        wait_until(lambda: is_everywhere(new))
        status, _, body = call(server, "POST", "/v1/artifacts/rollback", b"", x_api_key=key)
        assert (status, json.loads(body)["version"]) == (200, old)
        wait_until(lambda: is_everywhere(old))
    for caller in callers:
        caller.is_over.set()
    for caller in callers:
        caller.join()

    answers = sum((caller.answers for caller in callers), Counter())
    assert sum((caller.statuses for caller in callers), Counter()).keys() == {200}
    assert set(answers) == set(versions.items())


def test_a_corrupt_artifact_is_refused_over_http_and_the_one_in_use_stays(
    server: Server, key: str, versions: dict[str, str], artifacts_dir: Path
) -> None:
    old, new = versions
    path = artifacts_dir / new / "candidate_products.npy"
    path.write_bytes(path.read_bytes()[:-4])

    status, _, body = call(server, "POST", f"/v1/artifacts/{new}/activate", b"", x_api_key=key)

    assert (status, json.loads(body)["code"]) == (409, "artifact-corrupt")
    assert json.loads(call(server, "GET", f"{URL}/ann", x_api_key=key)[2])["artifact_version"] == old
