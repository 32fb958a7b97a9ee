"""What is answered where it arrives is what the application would have answered, and leaves the same traces."""

import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.auth.queries import revoke_key
from service.base.clock import utc_now
from service.base.logging import Logs
from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.server.app import create_app
from service.server.protocol import DeadlineProtocol
from service.server.serving import listen, server_options
from service.storage.database import create_database_engine, session_factory, session_scope
from service.sync.artifact_store import ArtifactStore
from service.web.fast_path import MAX_BODY_BYTES, FastPath
from service.web.response_cache import CachedResponse
from tests.service.conftest import make_key, make_settings, wait_until
from tests.service.sync.conftest import order
from tests.sold import AS_OF_DAY, write_sold

URL = "/v1/recommendations"
ALWAYS_NEW = ("decision_id", "generated_at", "request_id", "instance", "date", "x-request-id")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass
class Running:
    """A server of this process. through_app: what its application was asked, as method and path."""

    port: int
    key: str
    through_app: list[str]
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

    def behind_another(self, message: bytes) -> bytes:
        """Send a request together with one before it, and return its answer."""
        rest = bytearray()
        with self.connect() as connection:
            connection.sendall(self.request("GET", f"{URL}/ann?dry_run=1") + message)
            read_answer(connection, rest)
            return read_answer(connection, rest)

    def in_pieces(self, message: bytes) -> bytes:
        """Send a request whose last byte comes later than the others."""
        with self.connect() as connection:
            connection.sendall(message[:-1])
            time.sleep(0.05)
            connection.sendall(message[-1:])
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


@contextmanager
def running(settings: Settings, header_seconds: float = 10.0) -> Iterator[Running]:
    """Serve as ``nextoffer serve`` does, in a thread."""
    log = io.BytesIO()
    app = create_app(settings, logs=Logs("info", log))
    through_app: list[str] = []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            through_app.append(f"{scope['method']} {scope['path']}")
        await app(scope, receive, send)

    class Protocol(DeadlineProtocol):
        """One whose settings are this server's alone."""

        desk = app.state.desk

    Protocol.wait_for_headers(header_seconds)
    options = {**server_options(settings), "http": Protocol, "log_config": None}
    server = uvicorn.Server(uvicorn.Config(counted, **options))
    key = make_key(settings.database_url, "admin")
    with listen(settings) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_until(lambda: server.started)
            made = Running(listener.getsockname()[1], key, through_app, log)
            made.whole(made.request("GET", "/v1/products"))  # a key is known to the desk once it was found right
            through_app.clear()
            yield made
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


def found(desk: FastPath, method: str, url: str) -> tuple[str, str, bytes] | None:
    one = desk.find(method.encode(), url.encode())
    assert not isinstance(one, CachedResponse)
    return one and (one.route.operation_id or "", one.rest, one.query)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> FastPath:
    folder = tmp_path_factory.mktemp("desk")
    made: FastPath = create_app(make_settings(f"sqlite:///{folder}/x.db", folder)).state.desk
    return made


@pytest.mark.parametrize(
    ("method", "url", "operation", "rest", "query"),
    [
        ("GET", f"{URL}/ann", "get_recommendations", "ann", b""),
        ("GET", f"{URL}/a/b/?limit=3", "get_recommendations", "a/b/", b"limit=3"),
        ("GET", f"{URL}/a%2Fb%20%C3%A4?a=?", "get_recommendations", "a/b ä", b"a=?"),
        ("GET", f"{URL}/batch", "get_recommendations", "batch", b""),
        ("GET", f"{URL}/", "get_recommendations", "", b""),
        ("POST", URL, "create_recommendations", "", b""),
    ],
)
def test_a_hot_request_is_found(desk: FastPath, method: str, url: str, operation: str, rest: str, query: bytes) -> None:
    assert found(desk, method, url) == (operation, rest, query)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", URL),
        ("GET", f"{URL}x"),
        ("GET", f"http://x{URL}/ann"),
        ("GET", f"{URL}/ann#part"),
        ("GET", f"{URL}/ä"),
        ("POST", f"{URL}?a#part"),
        ("POST", f"{URL}/ann"),
        ("POST", f"{URL}/batch"),
        ("PUT", URL),
        ("GET", "/healthz"),
    ],
)
def test_anything_else_is_left_to_the_application(desk: FastPath, method: str, url: str) -> None:
    assert found(desk, method, url) is None


JSON = "Content-Type: application/json\r\n"
ASKED: dict[str, tuple[str, str, bytes, str, bool]] = {
    "account": ("GET", f"{URL}/ann", b"", "", True),
    "account with parameters": ("GET", f"{URL}/b%6Fb?limit=2&dry_run=true&other=1", b"", "", True),
    "basket": ("POST", URL, b'{"basket":["beans"],"placement":"checkout"}', JSON, True),
    "basket, its type unsaid": ("POST", URL, b'{"basket":["beans"],"limit":1}', "", True),
    "change that is known": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: 0\r\n", True),
    "request id": ("GET", f"{URL}/ann", b"", "X-Request-ID: mine-1\r\n", True),
    "change that is not known": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: 99\r\n", False),
    "change that is none": ("GET", f"{URL}/ann", b"", "X-Min-Sequence: x\r\n", False),
    "limit that is none": ("GET", f"{URL}/ann?limit=0", b"", "", False),
    "no account": ("GET", f"{URL}/", b"", "", False),
    "no JSON": ("POST", URL, b"{", JSON, False),
    "another type": ("POST", URL, b"{}", "Content-Type: text/plain\r\n", False),
    "another origin": ("GET", f"{URL}/ann", b"", "Origin: https://shop.example\r\n", False),
    "last of its connection": ("GET", f"{URL}/ann", b"", "Connection: close\r\n", False),
    "body that is announced": ("POST", URL, b'{"basket":["beans"]}', "Expect: 100-continue\r\n", False),
    "large body": ("POST", URL, b'{"basket":["beans"]}' + b" " * MAX_BODY_BYTES, JSON, False),
}


@pytest.mark.parametrize("asked", ASKED)
def test_both_ways_give_the_same_answer(server: Running, asked: str) -> None:
    method, path, body, headers, is_hot = ASKED[asked]
    message = server.request(method, path, body, headers)

    at_once = server.whole(message)
    is_at_once = not server.through_app
    through_app = server.behind_another(message)

    assert is_at_once == is_hot
    assert server.through_app
    assert said(at_once) == said(through_app)


def test_a_body_that_comes_later_is_waited_for_by_the_application(server: Running) -> None:
    answer = server.in_pieces(server.request("POST", URL, b'{"basket":["beans"]}', JSON))

    assert status_of(answer) == 200
    assert server.through_app == [f"POST {URL}"]


@pytest.fixture
def sold(sqlite_url: str, artifacts_dir: Path) -> Iterator[Running]:
    """A server over an artifact whose accounts have a history."""
    ArtifactStore(artifacts_dir, smoke_test).activate(write_sold(artifacts_dir))
    update = {"port": 0, "key_refresh_seconds": 600.0}
    with running(make_settings(sqlite_url, artifacts_dir).model_copy(update=update)) as made:
        yield made


POLLED = ("/v1/segments", "/v1/segments?family=rfm", "/v1/segments/rfm.lost/metrics?interval=week")


@pytest.mark.parametrize("path", POLLED)
def test_what_is_polled_is_answered_at_once_from_the_second_time_on(sold: Running, path: str) -> None:
    first = sold.whole(sold.request("GET", path))
    sold.through_app.clear()

    second = sold.whole(sold.request("GET", path))
    etag = said(first)[1]["etag"]
    unchanged = sold.whole(sold.request("GET", path, headers=f'If-None-Match: W/"x", {etag}\r\n'))
    changed = sold.whole(sold.request("GET", path, headers='If-None-Match: "x"\r\n'))

    assert not sold.through_app
    assert said(second) == said(changed) == said(first)
    assert unchanged.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert f"etag: {etag}".encode() in unchanged
    assert unchanged.endswith(b"\r\n\r\n")


def test_what_is_polled_is_for_keys_that_may_read(sold: Running, sqlite_url: str) -> None:
    sold.whole(sold.request("GET", POLLED[0]))
    key = make_key(sqlite_url, "recommend")

    statuses = [status_of(sold.whole(sold.request("GET", POLLED[0], key=one))) for one in (key, key, "nxo_wrong")]

    assert statuses == [403, 403, 401]


def test_what_is_polled_is_made_anew_for_another_artifact(sold: Running, artifacts_dir: Path) -> None:
    first = said(sold.whole(sold.request("GET", POLLED[0])))

    ArtifactStore(artifacts_dir, smoke_test).activate(write_sold(artifacts_dir, AS_OF_DAY - 90))

    wait_until(lambda: said(sold.whole(sold.request("GET", POLLED[0]))) != first)


def said(answer: bytes) -> tuple[str, dict[str, str], dict[str, Any]]:
    """What an answer says, but for what is new each time."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert set(headers) >= {"date", "x-request-id", "content-length", "content-type"}
    content = {name: value for name, value in json.loads(body).items() if name not in ALWAYS_NEW}
    return status, {name: value for name, value in headers.items() if name not in ALWAYS_NEW}, content


def test_a_key_that_has_a_limit_or_lacks_the_scope_is_left_to_the_application(settings: Settings) -> None:
    with running(settings.model_copy(update={"rate_limit": "2/hour"})) as server:
        statuses = [status_of(server.whole(server.request("GET", f"{URL}/ann"))) for _ in range(3)]
        assert len(server.through_app) == 3
    # The first of the two was spent when the key was tried.
    assert statuses == [200, 429, 429]

    key = make_key(settings.database_url, "read")
    with running(settings) as server:
        refused = [server.whole(server.request("GET", f"{URL}/ann", key=key)) for _ in range(2)]
    assert [status_of(answer) for answer in refused] == [403, 403]


def test_a_key_that_is_revoked_is_refused_at_once_too(settings: Settings) -> None:
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
    assert len(server.through_app) == len(accounts) - 1


def test_a_request_behind_one_that_is_still_answered_waits_its_turn(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", f"{URL}/ann", headers="X-Min-Sequence: 99\r\n"))
        time.sleep(0.05)
        connection.sendall(server.request("GET", f"{URL}/bob"))
        rest = bytearray()
        answers = [read_answer(connection, rest) for _ in range(2)]

    assert [status_of(answer) for answer in answers] == [503, 200]
    assert body_of(answers[1])["account_id"] == "bob"


def test_what_is_answered_at_once_is_counted_logged_and_kept(server: Running) -> None:
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


def test_a_write_is_felt_by_what_is_answered_at_once(server: Running) -> None:
    made = json.dumps([order("o-1", "ann", "filter")]).encode()
    written = server.whole(server.request("POST", "/v1/orders", made, JSON))
    sequence = re.search(rb"x-sequence: (\d+)", written)
    assert sequence, written
    server.through_app.clear()
    message = server.request("GET", f"{URL}/ann?limit=20", headers=f"X-Min-Sequence: {int(sequence[1])}\r\n")

    first = body_of(server.whole(message))
    second = body_of(server.whole(message))

    assert len(server.through_app) <= 1, "once the change is applied, nothing is waited for"
    for answer in (first, second):
        assert "filter" not in [offer["product_id"] for offer in answer["offers"]]


def test_an_idle_connection_is_kept_longer_than_a_header_may_take(settings: Settings) -> None:
    with running(settings, header_seconds=0.2) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(server.request("GET", f"{URL}/ann"))
            assert status_of(read_answer(connection)) == 200
            time.sleep(0.4)
        assert server.through_app == []
        connection.sendall(b"GET / HTTP/1.1\r\n")
        begun = time.monotonic()
        assert connection.recv(1) == b"", "a header that is begun and not ended ends the connection"
        assert time.monotonic() - begun < 5


def test_rubbish_after_an_answer_ends_the_connection(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", f"{URL}/ann"))
        assert status_of(read_answer(connection)) == 200
        connection.sendall(b"rubbish\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_while_it_can_t_tell_an_error_is_the_application_s_and_logged(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("service.offers.routes.answer", fail)
    answer = server.whole(server.request("GET", f"{URL}/ann"))

    assert (status_of(answer), body_of(answer)["code"]) == (500, "internal-error")
    assert b"RuntimeError: broken" in server.log.getvalue()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body
