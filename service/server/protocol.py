"""The server's connections: hot requests answered where they arrive, an answer in one write, a deadline for headers."""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.web.decoding import BODY_IS_HERE
from service.web.fast_path import FastPath, Found
from service.web.response_cache import CachedResponse

MAX_HEADER_BYTES = 64 * 1024


class OneWrite:
    """A transport that sends what is written in one go together: uvicorn writes header and body apart.

    Each write is a system call that wakes the receiver; a second one was a tenth of what a request costs. What is held
    goes out with the next write, or when the event loop comes round, whichever is first.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            self.write_all(data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def write_all(self, data: bytes) -> None:
        """Write what is held, and this, now."""
        held, self._held = self._held, b""
        self._transport.write(held + data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            self.write_all(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class DirectProtocol(HttpToolsProtocol):
    """Answers a hot request in the very read that brings its last byte.

    Uvicorn makes a scope, a cycle and a task of each request, and the framework walks through its layers: together
    they cost as much as a recommendation. Here a hot request is kept back until it is whole. Whatever does not fit
    goes uvicorn's way, as if it had never been kept: a request that comes in pieces, one behind another that is not
    answered yet, one whose connection is to be closed or can't take more now, and all that the desk leaves.

    Of what one read brings, one request is answered here: others get their turn between those of one connection.
    """

    desk: ClassVar[FastPath | None] = None
    """Of this process: uvicorn makes the connections, and hands nothing of ours to them."""

    _kept: Found | CachedResponse | None = None
    _kept_body = b""
    _head = b""
    _head_made_of: list[tuple[bytes, bytes]] | None = None
    has_answered = False
    """Whether a request of this read is answered already."""

    def data_received(self, data: bytes) -> None:
        self.has_answered = False
        super().data_received(data)
        if self._kept is not None:
            self._go_on_usually()

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()
        self._kept = self._find()
        if self._kept is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._kept is None:
            super().on_body(body)
            return
        self._kept_body += body
        assert self.desk is not None  # noqa: S101 - or nothing would be kept
        if len(self._kept_body) > self.desk.max_body_bytes:
            self._go_on_usually()

    def on_message_complete(self) -> None:
        if self._kept is not None:
            if self._answer():
                return
            self._go_on_usually()
        self.scope[BODY_IS_HERE] = True  # type: ignore[literal-required]
        super().on_message_complete()

    def _find(self) -> Found | CachedResponse | None:
        """Return the hot route of the request that begins, if it may be answered here."""
        if self.desk is None or self.has_answered or self.expect_100_continue or self.flow.write_paused:
            return None
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        parser = self.parser
        if parser.should_upgrade() or not parser.should_keep_alive() or parser.get_http_version() != "1.1":
            return None
        return self.desk.find(parser.get_method(), self.url)

    def _answer(self) -> bool:
        """Answer the request that is kept, and tell whether that was possible."""
        assert self.desk is not None  # noqa: S101
        assert self._kept is not None  # noqa: S101
        try:
            message = self.desk.answer(self._kept, self.headers, self._kept_body)
        except Exception:  # The application meets it again, and tells the caller or the log.
            return False
        self._kept, self._kept_body = None, b""
        self.has_answered = True
        self.server_state.total_requests += 1
        whole = message.status_line + self._server_headers() + message.rest
        self.transport.write_all(whole)  # type: ignore[attr-defined]
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        return True

    def _go_on_usually(self) -> None:
        body, self._kept, self._kept_body = self._kept_body, None, b""
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _server_headers(self) -> bytes:
        """Return the headers that every answer has. Uvicorn makes a new list of them each second."""
        headers = self.server_state.default_headers
        if headers is not self._head_made_of:
            self._head = b"".join(b"%b: %b\r\n" % header for header in headers)
            self._head_made_of = headers
        return self._head


class DeadlineProtocol(DirectProtocol):
    """Closes a connection whose request header is not complete in time, or has no end.

    A request that comes in one piece costs no timer. Uvicorn's own time-out is for idle connections that have had an
    answer: it bounds no header, and whatever comes after an answer ends it, be it an empty line or the rest of a body
    that nobody reads.
    """

    header_seconds = 10.0
    """A browser or a service sends its header in one piece; a hostile client sends a byte now and then."""

    _header_deadline: TimerHandle | None = None
    _awaits_header = True
    _header_bytes = 0

    @classmethod
    def wait_for_headers(cls, seconds: float) -> None:
        """Set the deadline for this process: uvicorn makes the connections, and hands nothing of ours to them."""
        cls.header_seconds = seconds

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(OneWrite(transport, self.loop))  # type: ignore[arg-type]
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaits_header:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.transport.close()
        elif self.has_answered or (self.cycle is not None and not self.cycle.response_complete):
            return
        if self._header_deadline is None:
            self._start_deadline()

    def on_message_begin(self) -> None:
        self._awaits_header = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._awaits_header = False
        self._header_bytes = 0
        self._end_deadline()
        super().on_headers_complete()

    def connection_lost(self, error: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(error)

    def _start_deadline(self) -> None:
        self._header_deadline = self.loop.call_later(self.header_seconds, self.transport.close)

    def _end_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None
