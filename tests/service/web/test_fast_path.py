"""The fast path answers as FastAPI's routing would, however requests arrive, and leaves the same traces."""

import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.auth.queries import revoke_key
from service.base.clock import utc_now
from service.base.logging import Logs
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.offers import routes as offers
from service.offers.smoke import smoke_test
from service.server.app import create_app
from service.server.protocol import DeadlineProtocol
from service.server.serving import listen, server_options
from service.storage.database import create_database_engine, session_factory, session_scope
from service.sync.artifact_store import ArtifactStore
from service.web.fast_path import FastPath
from service.web.response_cache import respond_from_cache
from tests.service.conftest import make_key, make_settings, wait_until
from tests.service.sync.conftest import order
from tests.sold import AS_OF_DAY, write_sold

URL = "/v1/recommendations"
ALWAYS_NEW = ("decision_id", "generated_at", "valid_until", "request_id", "instance", "date", "x-request-id")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass
class Running:
    """A server of this process. through_fastapi: what FastAPI's routing was asked, as method and path."""

    port: int
    key: str
    through_fastapi: list[str]
    log: io.BytesIO

    def request(self, method: str, path: str, body: bytes = b"", headers: str = "", key: str | None = None) -> bytes:
        """Lay out one request."""
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        authorization = f"Authorization: Bearer {self.key if key is None else key}\r\n"
        return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{authorization}{length}{headers}\r\n".encode() + body

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def whole(self, message: bytes) -> bytes:
        """Send a request in one go, and return its answer."""
        with self.connect() as connection:
            connection.sendall(message)
            return read_answer(connection)

    def in_two_writes(self, message: bytes) -> bytes:
        """Send a request as most clients do: the header, then the body, so that they arrive in two reads."""
        head, end, body = message.partition(b"\r\n\r\n")
        with self.connect() as connection:
            connection.sendall(head + end)
            time.sleep(0.02)
            connection.sendall(body)
            return read_answer(connection)


def read_answer(connection: socket.socket, rest: bytearray | None = None) -> bytes:
    """Read one answer with a Content-Length; what came beyond it is left in ``rest``."""
    read = rest if rest is not None else bytearray()
    while b"\r\n\r\n" not in read:
        read += receive(connection)
    if read.startswith(CONTINUE):
        del read[: len(CONTINUE)]
        return read_answer(connection, read)
    head, _, _ = bytes(read).partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length or b" 304 " in head, head
    end = len(head) + 4 + (int(length[1]) if length else 0)
    while len(read) < end:
        read += receive(connection)
    answer = bytes(read[:end])
    del read[:end]
    return answer


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the connection was closed"
    return data


class Recorder:
    """A middleware between the fast path and FastAPI's routing: it notes what the former leaves to the latter."""

    def __init__(self, app: ASGIApp, requests: list[str]) -> None:
        self.app = app
        self.requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests.append(f"{scope['method']} {scope['path']}")
        await self.app(scope, receive, send)


@contextmanager
def running(settings: Settings, header_seconds: float = 10.0) -> Iterator[Running]:
    """Serve as ``nextoffer serve`` does, in a thread."""
    log = io.BytesIO()
    app = create_app(settings, logs=Logs("info", log))
    through_fastapi: list[str] = []
    app.user_middleware.append(Middleware(Recorder, requests=through_fastapi))

    class Protocol(DeadlineProtocol):
        """One whose settings are this server's alone."""

    Protocol.set_header_timeout(header_seconds)
    options = {**server_options(settings), "http": Protocol, "log_config": None}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    key = make_key(settings.database_url, "admin")
    with listen(settings) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield Running(listener.getsockname()[1], key, through_fastapi, log)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def settings(sqlite_url: str, artifacts_dir: Path, version: str) -> Settings:
    return make_settings(sqlite_url, artifacts_dir).model_copy(update={"port": 0, "key_refresh_seconds": 600.0})


@pytest.fixture
def server(settings: Settings) -> Iterator[Running]:
    with running(settings) as made:
        yield made


async def nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stand for the application behind the fast path."""


FAST_PATH = FastPath(nowhere, offers.router.routes)


def find(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the name of the endpoint, and the path parameters."""
    scope: Scope = {"type": "http", "method": method, "path": path}
    endpoint = FAST_PATH.find(scope)
    if endpoint in (None, respond_from_cache):
        return None
    return scope["route"].operation_id, scope["path_params"]


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("GET", f"{URL}/ann", "get_recommendations", {"account_id": "ann"}),
        ("GET", f"{URL}/a/b/", "get_recommendations", {"account_id": "a/b/"}),
        ("GET", f"{URL}/a\nb ä", "get_recommendations", {"account_id": "a\nb ä"}),
        ("GET", f"{URL}/batch", "get_recommendations", {"account_id": "batch"}),
        ("GET", f"{URL}/", "get_recommendations", {"account_id": ""}),
        ("POST", URL, "create_recommendations", {}),
        ("POST", f"{URL}/batch", "create_recommendations_batch", {}),
    ],
)
def test_a_fast_route_is_found(method: str, path: str, operation: str, parameters: dict[str, str]) -> None:
    assert find(method, path) == (operation, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", URL),
        ("GET", f"{URL}x"),
        ("GET", f"x{URL}/ann"),
        ("HEAD", f"{URL}/ann"),
        ("POST", f"{URL}/ann"),
        ("POST", f"{URL}/"),
        ("PUT", URL),
        ("GET", "/healthz"),
    ],
)
def test_anything_else_is_left_to_fastapi(method: str, path: str) -> None:
    assert find(method, path) is None


JSON = "Content-Type: application/json\r\n"
REQUESTS: dict[str, tuple[str, str, bytes, str]] = {
    "account": ("GET", f"{URL}/ann", b"", ""),
    "account with parameters": ("GET", f"{URL}/b%6Fb?limit=2&dry_run=true&other=1", b"", ""),
    "account with a slash and a line break": ("GET", f"{URL}/a/b%2Fc%0Ad", b"", ""),
    "fragment": ("GET", f"{URL}/ann#part", b"", ""),
    "whole URL": ("GET", f"http://x{URL}/ann", b"", ""),
    "basket": ("POST", URL, b'{"basket":["beans"],"placement":"checkout"}', JSON),
    "basket without a type": ("POST", URL, b'{"basket":["beans"],"limit":1}', ""),
    "batch": ("POST", f"{URL}/batch", b'{"account_ids":["ann","bob"]}', JSON),
    "change that is applied": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: 0\r\n"),
    "change that is not applied": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: 99\r\n"),
    "no sequence number": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: x\r\n"),
    "request id": ("GET", f"{URL}/ann", b"", "X-Request-ID: mine-1\r\n"),
    "limit of 0": ("GET", f"{URL}/ann?limit=0", b"", ""),
    "no account": ("GET", f"{URL}/", b"", ""),
    "no JSON": ("POST", URL, b"{", JSON),
    "another type": ("POST", URL, b"{}", "Content-Type: text/plain\r\n"),
    "another origin": ("GET", f"{URL}/ann", b"", "Origin: https://shop.example\r\n"),
    "last of its connection": ("GET", f"{URL}/ann", b"", "Connection: close\r\n"),
    "body that is announced": ("POST", URL, b'{"basket":["beans"]}', "Expect: 100-continue\r\n"),
    "large body": ("POST", URL, b'{"basket":["beans"]}' + b" " * 100_000, JSON),
    "too large a body": ("POST", URL, b'{"basket":["beans"]}' + b" " * offers.MAX_BODY_BYTES, JSON),
}


def leave_to_fastapi(_fast_path: FastPath, _scope: Scope) -> None:
    """Stand for ``FastPath.find``."""


@pytest.mark.parametrize("name", REQUESTS)
def test_the_fast_path_and_fastapi_give_the_same_answer(
    server: Running, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    message = server.request(*REQUESTS[name])

    fast = server.whole(message)
    is_fast = not server.through_fastapi
    monkeypatch.setattr(FastPath, "find", leave_to_fastapi)
    usual = server.whole(message)

    assert is_fast
    assert server.through_fastapi
    assert comparable(fast) == comparable(usual)


@pytest.mark.parametrize("name", [key for key, request in REQUESTS.items() if request[0] == "POST"])
def test_one_read_or_two_make_no_difference(server: Running, name: str) -> None:
    message = server.request(*REQUESTS[name])

    assert comparable(server.in_two_writes(message)) == comparable(server.whole(message))
    assert not server.through_fastapi


Post = Callable[[str, str, bytes], tuple[int, bytes]]


def with_http_client(url: str, key: str, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", URL, body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def with_urllib3(url: str, key: str, body: bytes) -> tuple[int, bytes]:
    urllib3: Any = pytest.importorskip("urllib3")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", url + URL, body=body, headers=headers)
        return answer.status, answer.data


def with_httpx(url: str, key: str, body: bytes) -> tuple[int, bytes]:
    httpx: Any = pytest.importorskip("httpx2")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    answer = httpx.post(url + URL, content=body, headers=headers)
    return answer.status_code, answer.content


@pytest.mark.parametrize("post", [with_http_client, with_urllib3, with_httpx])
def test_every_client_takes_the_fast_path(server: Running, post: Post) -> None:
    answers = [post(f"http://127.0.0.1:{server.port}", server.key, b'{"basket":["beans"]}') for _ in range(5)]

    assert [status for status, _ in answers] == [200] * 5
    assert all(json.loads(content)["offers"] for _, content in answers)
    assert not server.through_fastapi


@pytest.fixture
def history_server(sqlite_url: str, artifacts_dir: Path) -> Iterator[Running]:
    """A server over an artifact whose accounts have a history."""
    ArtifactStore(artifacts_dir, smoke_test).activate(write_sold(artifacts_dir))
    update = {"port": 0, "key_refresh_seconds": 600.0}
    with running(make_settings(sqlite_url, artifacts_dir).model_copy(update=update)) as made:
        yield made


POLLED = {
    "/v1/segments": "/v1/segments",
    "/v1/segments?family=rfm": "/v1/segments",
    "/v1/segments/rfm.lost/metrics?interval=week": "/v1/segments/{segment_id}/metrics",
}
"""Paths, and the templates of their routes."""
LIST_PATH = "/v1/segments"


@pytest.mark.parametrize("path", POLLED)
def test_a_polled_response_is_made_once(history_server: Running, path: str) -> None:
    first = history_server.whole(history_server.request("GET", path))
    assert history_server.through_fastapi == [f"GET {path.partition('?')[0]}"]
    history_server.through_fastapi.clear()

    second = history_server.whole(history_server.request("GET", path))
    etag = comparable(first)[1]["etag"]
    unchanged = history_server.whole(history_server.request("GET", path, headers=f'If-None-Match: W/"x", {etag}\r\n'))
    changed = history_server.whole(history_server.request("GET", path, headers='If-None-Match: "x"\r\n'))

    assert not history_server.through_fastapi
    assert comparable(second) == comparable(changed) == comparable(first)
    assert unchanged.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert f"etag: {etag}".encode() in unchanged
    assert unchanged.endswith(b"\r\n\r\n")
    metrics = history_server.whole(history_server.request("GET", "/metrics")).decode()
    assert f'nextoffer_requests_total{{method="GET",route="{POLLED[path]}",status="200"}} 3.0' in metrics
    assert f'nextoffer_requests_total{{method="GET",route="{POLLED[path]}",status="304"}} 1.0' in metrics


def test_a_kept_response_is_for_keys_that_may_read(history_server: Running, sqlite_url: str) -> None:
    history_server.whole(history_server.request("GET", LIST_PATH))
    key = make_key(sqlite_url, "recommend")

    statuses = [
        status_of(history_server.whole(history_server.request("GET", LIST_PATH, key=api_key)))
        for api_key in (key, key, "nxo_wrong")
    ]

    assert statuses == [403, 403, 401]


def test_a_polled_response_is_made_anew_for_another_artifact(history_server: Running, artifacts_dir: Path) -> None:
    first = comparable(history_server.whole(history_server.request("GET", LIST_PATH)))

    ArtifactStore(artifacts_dir, smoke_test).activate(write_sold(artifacts_dir, AS_OF_DAY - 90))

    wait_until(lambda: comparable(history_server.whole(history_server.request("GET", LIST_PATH))) != first)


def comparable(answer: bytes) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Status, headers and body of an answer, without what differs each time."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert set(headers) >= {"date", "x-request-id", "content-length", "content-type"}
    return status, without_new(headers), without_new(json.loads(body))


def without_new(content: Any) -> Any:
    if isinstance(content, list):
        return [without_new(item) for item in content]
    if isinstance(content, dict):
        return {name: without_new(value) for name, value in content.items() if name not in ALWAYS_NEW}
    return content


def test_limits_and_scopes_of_a_key_hold_on_the_fast_path(settings: Settings) -> None:
    with running(settings.model_copy(update={"rate_limit": "2/hour"})) as server:
        statuses = [status_of(server.whole(server.request("GET", f"{URL}/ann"))) for _ in range(3)]
    assert statuses == [200, 200, 429]

    key = make_key(settings.database_url, "read")
    with running(settings) as server:
        refused = [server.whole(server.request("GET", f"{URL}/ann", key=key)) for _ in range(2)]
    assert [status_of(answer) for answer in refused] == [403, 403]


def test_a_key_that_is_revoked_is_refused(settings: Settings) -> None:
    with running(settings.model_copy(update={"key_refresh_seconds": 0.05})) as server:
        engine = create_database_engine(settings.database_url)
        with session_scope(session_factory(engine)) as session:
            revoke_key(session, server.key.split("_")[1], utc_now())
        engine.dispose()
        wait_until(lambda: status_of(server.whole(server.request("GET", f"{URL}/ann"))) == 401)


def test_requests_one_behind_another_are_answered_in_turn(server: Running) -> None:
    accounts = ["ann", "bob", "ann", "dee", "bob"]
    with server.connect() as connection:
        connection.sendall(b"".join(server.request("GET", f"{URL}/{account}") for account in accounts))
        rest = bytearray()
        answers = [body_of(read_answer(connection, rest)) for _ in accounts]

    assert [answer["account_id"] for answer in answers] == accounts
    assert not server.through_fastapi


def test_a_request_behind_one_that_is_still_answered_waits_its_turn(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", f"{URL}/ann", headers="X-Min-Sequence: 99\r\n"))
        time.sleep(0.05)
        connection.sendall(server.request("GET", f"{URL}/bob"))
        rest = bytearray()
        answers = [read_answer(connection, rest) for _ in range(2)]

    assert [status_of(answer) for answer in answers] == [503, 200]
    assert body_of(answers[1])["account_id"] == "bob"


def test_a_fast_request_is_counted_logged_and_kept(server: Running) -> None:
    answers = [server.whole(server.request("GET", f"{URL}/ann", headers=f"X-Request-ID: r-{n}\r\n")) for n in range(3)]
    wait_until(lambda: server.log.getvalue().count(b'"request_id":"r-') == 3)
    metrics = server.whole(server.request("GET", "/metrics")).decode()
    decision_id = body_of(answers[0])["decision_id"]
    kept = body_of(server.whole(server.request("GET", f"/v1/decisions/{decision_id}")))

    lines = [json.loads(line) for line in server.log.getvalue().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "r-0"]
    assert b"x-request-id: r-0\r\n" in answers[0]
    assert {name: line[name] for name in ("method", "route", "status", "key_id")} == {
        "method": "GET",
        "route": f"{URL}/{{account_id}}",
        "status": 200,
        "key_id": server.key.split("_")[1],
    }
    assert f'nextoffer_requests_total{{method="GET",route="{URL}/{{account_id}}",status="200"}} 3.0' in metrics
    assert kept["answer"] == body_of(answers[0])
    assert kept["key_id"] == line["key_id"]


def test_a_write_is_seen_on_the_fast_path(server: Running) -> None:
    made = json.dumps([order("o-1", "ann", "filter")]).encode()
    written = server.whole(server.request("POST", "/v1/orders", made, JSON))
    sequence = re.search(rb"x-sequence: (\d+)", written)
    assert sequence, written
    server.through_fastapi.clear()
    message = server.request("GET", f"{URL}/ann?limit=20", headers=f"X-Min-Sequence: {int(sequence[1])}\r\n")

    first = body_of(server.whole(message))
    second = body_of(server.whole(message))

    assert not server.through_fastapi
    for answer in (first, second):
        assert "filter" not in [offer["product_id"] for offer in answer["offers"]]


def test_an_idle_connection_is_kept_longer_than_a_header_may_take(settings: Settings) -> None:
    with running(settings, header_seconds=0.2) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(server.request("GET", f"{URL}/ann"))
            assert status_of(read_answer(connection)) == 200
            time.sleep(0.4)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        begun = time.monotonic()
        assert connection.recv(1) == b"", "a header that is begun and not ended ends the connection"
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("path", [f"{URL}/ann", "/v1/products"])
def test_a_caller_that_will_send_no_more_is_answered(server: Running, path: str) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", path))
        connection.shutdown(socket.SHUT_WR)

        assert status_of(read_answer(connection)) == 200
        assert connection.recv(1) == b"", "the connection ends with the answer"


def test_a_caller_that_leaves_amid_its_body_is_hung_up_on(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("POST", URL, b'{"basket": ["beans"]}')[:-5])
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(1) == b""


def test_rubbish_after_an_answer_ends_the_connection(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", f"{URL}/ann"))
        assert status_of(read_answer(connection)) == 200
        connection.sendall(b"rubbish\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_failure_is_answered_once_and_logged(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def fail(*arguments: object) -> None:
        calls.append(arguments)
        raise RuntimeError("broken")

    monkeypatch.setattr("service.offers.routes.respond", fail)
    answer = server.whole(server.request("GET", f"{URL}/ann"))

    assert (status_of(answer), body_of(answer)["code"]) == (500, "internal-error")
    assert len(calls) == 1
    assert b"RuntimeError: broken" in server.log.getvalue()


def test_a_failure_of_telemetry_after_a_decision_neither_answers_nor_records_twice(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Telemetry, "observe_request", fail)
    with server.connect() as connection:
        rest = bytearray()
        answers = []
        for _ in range(2):
            connection.sendall(server.request("GET", f"{URL}/ann"))
            answers.append(read_answer(connection, rest))
    monkeypatch.undo()

    def recorded() -> list[str]:
        page = body_of(server.whole(server.request("GET", "/v1/accounts/ann/decisions")))
        return [decision["decision_id"] for decision in page["items"]]

    assert [status_of(answer) for answer in answers] == [200, 200]
    assert not rest
    wait_until(lambda: len(recorded()) >= 2)
    assert sorted(recorded()) == sorted(body_of(answer)["decision_id"] for answer in answers)
    assert server.log.getvalue().count(b"RuntimeError: broken") == 2


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body
