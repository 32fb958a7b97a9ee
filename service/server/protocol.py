"""The server's connections: an answer in one write, and a deadline for request headers."""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024


class SingleWriteTransport:
    """A transport that sends what is written in one go together: uvicorn writes header and body apart.

    What is buffered goes out with the next write, or when the event loop comes round, whichever is first.
    """

    __slots__ = ("_buffered", "_loop", "_transport")

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._buffered = b""

    def write(self, data: bytes) -> None:
        if self._buffered:
            buffered, self._buffered = self._buffered, b""
            self._transport.write(buffered + data)
        else:
            self._buffered = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._buffered:
            buffered, self._buffered = self._buffered, b""
            self._transport.write(buffered)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose request header is not complete in time, or has no end.

    Uvicorn's own time-out is for idle connections that have had an answer: it bounds no header, and whatever comes
    after an answer ends it, be it an empty line or the rest of a body that nobody reads.
    """

    header_seconds = 10.0
    """A browser or a service sends its header in one piece; a hostile client sends a byte now and then."""

    _header_deadline: TimerHandle | None = None
    _awaits_header = True
    _header_bytes = 0

    @classmethod
    def set_header_timeout(cls, seconds: float) -> None:
        """Set the deadline for this process: uvicorn makes the connections, and passes no options of ours to them."""
        cls.header_seconds = seconds

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(SingleWriteTransport(transport, self.loop))  # type: ignore[arg-type]
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaits_header:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self.transport.close()
        elif not self.cycle.response_complete:
            return
        if self._header_deadline is None:
            self._start_deadline()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a caller that will send no more but has sent a whole request: uvicorn would hang up on it."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

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
