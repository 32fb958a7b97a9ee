"""Clients that send slowly, or nothing, or without end, over real sockets: others are served meanwhile."""

import socket
import time
from collections.abc import Iterator

import pytest

from service.base.settings import Settings
from tests.service.conftest import make_key, wait_until
from tests.service.processes import Server, call, serving

URL = "/v1/recommendations"
IDLE = 300


@pytest.fixture(scope="module")
def key(shared_settings: Settings) -> str:
    """A key that may ask and write."""
    return make_key(shared_settings.database_url, "recommend,write")


@pytest.fixture(scope="module")
def server(shared_settings: Settings) -> Iterator[Server]:
    """A server that is impatient, so that a test need not be patient; each test has connections of its own."""
    with serving(
        shared_settings.database_url,
        shared_settings.artifacts_dir,
        header_timeout_seconds=1.0,
        body_timeout_seconds=1.0,
    ) as made:
        yield made


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def is_cut_off(connection: socket.socket, piece: bytes, pause_seconds: float) -> bool:
    """Send again and again, and tell whether the server ends it within some seconds."""
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < 10:
            connection.sendall(piece)
            time.sleep(pause_seconds)
    except OSError:
        return True
    return False


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


def serves(server: Server, key: str) -> bool:
    return call(server, "GET", f"{URL}/ann", authorization=f"Bearer {key}")[0] == 200


def test_a_header_that_does_not_end_is_not_waited_for(server: Server, key: str) -> None:
    with connect(server) as connection:
        begun = time.monotonic()
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        answer = read_all(connection)

    assert answer == b""
    assert time.monotonic() - begun < 10


def test_a_header_that_trickles_in_is_cut_off_although_something_always_comes(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")

        assert is_cut_off(connection, b"X-Slow: a\r\n", pause_seconds=0.1)


def test_the_second_request_of_a_connection_has_a_deadline_too(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        first = connection.recv(65536)
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        rest = read_all(connection)

    assert first.startswith(b"HTTP/1.1 200")
    assert rest == b""


def test_a_header_without_end_is_cut_off(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")

        assert is_cut_off(connection, b"a" * 65536, pause_seconds=0.001)


@pytest.mark.parametrize("path", [URL, "/v1/orders"])
def test_a_body_that_trickles_in_is_answered_with_a_time_out(server: Server, key: str, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    with connect(server) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
        answer, begun = b"", time.monotonic()
        connection.settimeout(0.2)
        while not answer and time.monotonic() - begun < 10:
            try:
                connection.sendall(b" ")
                answer = connection.recv(65536)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"request-timeout" in answer


@pytest.mark.parametrize("path", [URL, "/v1/orders"])
def test_a_caller_that_hangs_up_is_counted_as_such_and_is_no_failure(server: Server, key: str, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    hung_up_before = server.log().count('"status":499')
    with connect(server) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n[".encode())

    wait_until(lambda: server.log().count('"status":499') == hung_up_before + 1)
    assert "Traceback" not in server.log()


def test_many_idle_and_slow_connections_keep_nobody_waiting(server: Server, key: str) -> None:
    connections = [connect(server) for _ in range(IDLE)]
    for number, connection in enumerate(connections):
        if number % 2:
            connection.sendall(b"POST /v1/recommendations HTTP/1.1\r\nHost: a\r\n")

    assert all(serves(server, key) for _ in range(20))

    for connection in connections:
        assert read_all(connection) == b""
        connection.close()
    assert serves(server, key)


@pytest.mark.parametrize("path", [URL, f"{URL}/batch", "/v1/orders", "/v1/accounts", "/v1/products"])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 2000 + b"]" * 2000, b'[{"x":' * 500])
def test_deep_json_is_refused_and_harms_nobody(server: Server, key: str, path: str, body: bytes) -> None:
    status, _, answer = call(
        server, "POST", path, body, authorization=f"Bearer {key}", content_type="application/json"
    )  # fmt: skip

    assert 400 <= status < 500, answer
    assert serves(server, key)
