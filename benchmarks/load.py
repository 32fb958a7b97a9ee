"""A load generator for HTTP/1.1 on raw sockets: cheap enough that the server is what is measured.

It sends header and body in two writes, as HTTP clients do: a server that is fast only where both arrive in one read
would be fast for nobody else.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

TICK_SECONDS = 0.0005


@dataclass
class Outcome:
    """What one round of load saw. seconds: the latency of each request, from when it was due."""

    elapsed: float = 0.0
    cpu_seconds: float = 0.0
    statuses: dict[bytes, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def n(self) -> int:
        return sum(self.statuses.values())

    @property
    def per_second(self) -> float:
        return self.n / self.elapsed

    @property
    def cpu_microseconds(self) -> float:
        """The server's processor time per request."""
        return self.cpu_seconds / self.n * 1e6

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent)) * 1000

    @property
    def failures(self) -> dict[bytes, int]:
        return {status: n for status, n in self.statuses.items() if not status.startswith(b"2") and status != b"304"}


def request_bytes(method: str, path: str, key: str | None, body: bytes = b"", etag: str | None = None) -> bytes:
    """Lay out one request. etag: of the answer that the caller has."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"If-None-Match: {etag}"] if etag else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """One connection: a request out, its whole answer in, then ``done`` is called."""

    def __init__(self, pool: "_Pool") -> None:
        self.pool = pool
        self.buffer = b""
        self.body = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self, request: bytes, due: float) -> None:
        self.send_body()  # of the request before, if its answer came first
        self.due = due
        end = len(request) if self.pool.is_in_one_write else request.index(b"\r\n\r\n") + 4
        self.transport.write(request[:end])
        if end < len(request):
            # The loop sends what is written in one of its rounds together, so the body is left to the next one.
            self.body = request[end:]
            self.pool.loop.call_soon(self.send_body)

    def send_body(self) -> None:
        if self.body:
            self.transport.write(self.body)
            self.body = b""

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        position = self.buffer.lower().find(b"content-length: ", 0, head)
        length = (
            int(self.buffer[position + 16 : self.buffer.index(b"\r\n", position)]) if position > 0 else 0
        )  # a 304 has none
        if len(self.buffer) >= head + 4 + length:
            status, self.buffer = self.buffer[9:12], b""
            self.pool.done(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        self.pool.lost()


class _Pool:
    """Connections that ask the same requests in turn."""

    def __init__(self, requests: Sequence[bytes], rate: float | None, is_in_one_write: bool) -> None:
        self.requests = cycle(requests)
        self.rate = rate
        self.is_in_one_write = is_in_one_write
        self.outcome = Outcome()
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[float] = deque()
        self.is_over = False

    def done(self, connection: _Connection, status: bytes) -> None:
        now = time.perf_counter()
        self.outcome.latencies.append(now - connection.due)
        self.outcome.statuses[status] = self.outcome.statuses.get(status, 0) + 1
        if self.is_over:
            return
        if self.rate is None:
            connection.ask(next(self.requests), now)
        elif self.waiting:
            connection.ask(next(self.requests), self.waiting.popleft())
        else:
            self.idle.append(connection)

    def lost(self) -> None:
        if not self.is_over:
            self.outcome.statuses[b"connection lost"] = self.outcome.statuses.get(b"connection lost", 0) + 1

    async def run(self, host: str, port: int, connections: int, seconds: float) -> None:
        self.loop = loop = asyncio.get_running_loop()
        made = [(await loop.create_connection(lambda: _Connection(self), host, port))[1] for _ in range(connections)]
        begun = time.perf_counter()
        if self.rate is None:
            for connection in made:
                connection.ask(next(self.requests), time.perf_counter())
            await asyncio.sleep(seconds)
        else:
            self.idle.extend(made)
            await self._keep_rate(begun, seconds, self.rate)
        self.is_over = True
        self.outcome.elapsed = time.perf_counter() - begun
        await asyncio.sleep(0.05)
        for connection in made:
            connection.transport.close()

    async def _keep_rate(self, begun: float, seconds: float, rate: float) -> None:
        sent = 0
        while (now := time.perf_counter()) < begun + seconds:
            while (due := begun + sent / rate) <= now:
                sent += 1
                if self.idle:
                    self.idle.popleft().ask(next(self.requests), due)
                else:
                    self.waiting.append(due)
            await asyncio.sleep(TICK_SECONDS)


def load(
    port: int,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = 16,
    rate: float | None = None,
    pids: Sequence[int] = (),
    is_in_one_write: bool = False,
) -> Outcome:
    """Ask a server on this machine for some seconds.

    rate: requests per second, due at even intervals whatever the server does; as many as it can answer if None.
    pids: the server's processes, whose processor time is counted.
    is_in_one_write: send header and body together, as hardly any client does.
    """
    pool = _Pool(requests, rate, is_in_one_write)
    before = sum(map(cpu_seconds, pids))
    uvloop.run(pool.run("127.0.0.1", port, connections, seconds))
    pool.outcome.cpu_seconds = sum(map(cpu_seconds, pids)) - before
    return pool.outcome


def cpu_seconds(pid: int) -> float:
    """Processor time of a process's threads so far, in the kernel and out of it, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
