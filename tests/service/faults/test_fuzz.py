"""Hostile requests to a real server, over bare sockets: no 5xx, no stack trace, no hang, and it still serves."""

import errno
import json
import os
import random
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world
from tests.service.conftest import make_key
from tests.service.processes import Server, serving

N_REQUESTS = int(os.environ.get("NEXTOFFER_FUZZ_REQUESTS", "2000"))
MAX_ANSWER_SECONDS = 20.0

NUMBERS = [
    "0",
    "-0.0",
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 400,
    "-" + "9" * 5000,
    "1e-400",
    "0x10",
    "01",
    "1.5",
]
TEXTS = [
    b'""', b'"a"', b'"\\u0000"', b'"a\x00b"', b'"\\ud800"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\', b'"\r\nX: y"',
    b'"' + b"x" * 100_000 + b'"', '"\U0010ffff"'.encode(), b'"../../etc"', b'"\'; DROP TABLE orders; --"', b'"=cmd()"',
]  # fmt: skip
OTHERS = [
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[[]]",
    b"[" * 200_000,
    b'{"a":' * 50_000,
    b"[" * 900 + b"]" * 900,
    b"",
    b"{",
    b"]",
]
FIELDS = [
    "account_id", "account_ids", "basket", "exclude", "limit", "placement", "context", "dry_run", "order_id", "lines",
    "product_id", "ordered_at", "quantity", "amount", "amount_minor", "unit_price", "currency", "status", "name",
    "price", "tier", "attributes", "parent_account_id", "marketing", "origin", "deal_id", "stage", "value", "closed_at",
    "expected_close", "__proto__", "",
]  # fmt: skip
PATHS = [
    "/v1/recommendations", "/v1/recommendations/batch", "/v1/recommendations/ann", "/v1/orders", "/v1/accounts",
    "/v1/accounts/ann", "/v1/accounts/ann/consent", "/v1/accounts/ann/decisions", "/v1/products", "/v1/products/beans",
    "/v1/deals",
    "/v1/decisions/x", "/v1/artifacts", "/v1/artifacts/x", "/v1/artifacts/x/activate", "/v1/artifacts/rollback",
    "/healthz", "/readyz", "/metrics", "/", "/v2", "/v1/", "//", "/v1/recommendations/",
]  # fmt: skip
TAILS = [
    "%00",
    "%ff",
    "%ed%a0%80",
    "..%2f..%2fetc",
    "a" * 20_000,
    "%F0%9F%98%80",
    "?",
    "??limit=1",
    ";x",
    "%",
    "%zz",
    "#",
]
QUERIES = [
    "limit=0", "limit=" + "9" * 500, "limit=3&limit=x", "limit=NaN", "cursor=%00", "cursor=" + "A" * 3000, "=", "&&",
    "dry_run=maybe", "unknown_products=x", "force=1", "a=%ff",
]  # fmt: skip
TYPES = [
    "application/json",
    "application/x-ndjson",
    "text/plain",
    "application/json; charset=utf-16",
    "",
    "a/b/c",
    "\xff",
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"]


@pytest.fixture(scope="module")
def server(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A real server over a small artifact, and a key that opens everything."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copy(migrated_sqlite, folder / "nextoffer.db")
    artifacts = folder / "artifacts"
    ArtifactStore(artifacts, smoke_test).activate(write_world(artifacts, coffee_world()))
    url = f"sqlite:///{folder / 'nextoffer.db'}"
    key = make_key(url, "admin")
    with serving(url, artifacts) as made:
        yield made, key


def hostile_value(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(NUMBERS).encode()
    return rng.choice(TEXTS) if kind < 0.75 else rng.choice(OTHERS)


def hostile_object(rng: random.Random) -> bytes:
    fields = rng.choices(FIELDS, k=rng.randrange(1, 6))
    return b"{" + b",".join(json.dumps(name).encode() + b":" + hostile_value(rng) for name in fields) + b"}"


def hostile_body(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.15:
        return rng.randbytes(rng.randrange(200))
    if kind < 0.3:
        return hostile_value(rng)
    if kind < 0.6:
        return hostile_object(rng)
    rows = [hostile_object(rng) for _ in range(rng.randrange(1, 4))]
    return b"[" + b",".join(rows) + b"]" if kind < 0.85 else b"\n".join(rows)


def hostile_headers(rng: random.Random, key: str) -> list[bytes]:
    headers = [b"Host: a"]
    if rng.random() < 0.85:
        headers.append(rng.choice([f"Authorization: Bearer {key}", f"X-API-Key: {key}"]).encode())
    else:
        headers.append(
            rng.choice(
                [b"Authorization: Bearer", b"Authorization: \xff", b"X-API-Key: nxo_", b"Authorization: Basic YQ=="]
            )
        )
    headers.append(b"Content-Type: " + rng.choice(TYPES).encode("latin-1"))
    if rng.random() < 0.15:
        name = rng.choice(
            [b"X-Request-ID", b"X-Min-Sequence", b"Idempotency-Key", b"If-None-Match", b"Origin", b"Accept"]
        )
        headers.append(
            name + b": " + rng.choice([b"", b"-1", b"\xff\xfe", b'"', b"a" * 3000, b"1e5", b"*", b"0", b"W/"])
        )
    if rng.random() < 0.02:
        headers += [b"X-Flood-%d: %s" % (i, b"a" * 50) for i in range(500)]
    if rng.random() < 0.01:
        headers.append(b"X-Long: " + b"a" * 100_000)
    return headers


def hostile_request(rng: random.Random, key: str) -> bytes:
    path = rng.choice(PATHS)
    if rng.random() < 0.2:
        path += rng.choice(["", "/"]) + rng.choice(TAILS)
    if rng.random() < 0.2:
        path += "?" + rng.choice(QUERIES)
    method = rng.choice(METHODS) if rng.random() < 0.3 else rng.choice(["GET", "POST", "POST", "PUT"])
    headers, body = hostile_headers(rng, key), b""
    if method not in ("GET", "HEAD") or rng.random() < 0.05:
        body = hostile_body(rng)
        framing = rng.random()
        if framing < 0.02:
            headers.append(
                rng.choice([b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 99999999999999999999"])
            )
        elif framing < 0.07:
            headers.append(b"Transfer-Encoding: chunked")
            body = rng.choice([b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), b"zz\r\n", b"5\r\nab\r\n0\r\n\r\n"])
        else:
            headers.append(b"Content-Length: %d" % len(body))
    return f"{method} {path} HTTP/1.1\r\n".encode("latin-1") + b"\r\n".join(headers) + b"\r\n\r\n" + body


def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send bytes on a connection of their own, and return status and whole answer; 0 if the server hung up."""
    with socket.create_connection(("127.0.0.1", port), timeout=MAX_ANSWER_SECONDS) as connection:
        answer = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
    return (int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0), answer


@pytest.mark.parametrize("n_requests", [500, pytest.param(N_REQUESTS, marks=pytest.mark.slow)])
def test_no_hostile_request_makes_the_service_fail(server: tuple[Server, str], n_requests: int) -> None:
    running, key = server
    rng = random.Random(20240229)
    seen: Counter[int] = Counter()

    for number in range(n_requests):
        request = hostile_request(rng, key)
        status, answer = ask(running.port, request)
        seen[status] += 1
        assert status < 500, (number, request[:2000], answer[:2000])
        assert b"Traceback" not in answer, (number, request[:2000])

    status, answer = ask(
        running.port,
        f"GET /v1/recommendations/ann HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n".encode(),
    )
    log = running.log()
    assert running.is_running
    assert status == 200, answer
    assert "Traceback" not in log, log[-3000:]
    assert "request failed" not in log, log[-3000:]
    assert {200, 401, 404, 405, 415, 422} <= set(seen), seen
    print(dict(sorted(seen.items())))  # noqa: T201
