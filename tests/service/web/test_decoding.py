"""Bodies of fast routes are read whole, however they arrive, and within their bounds."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from service.base.components import Components
from service.base.errors import BodyTooLarge, RequestTimeout
from service.base.settings import Settings
from service.web.decoding import read_body


class Arrivals:
    """A ``receive`` whose messages come after some seconds each, or at once."""

    def __init__(self, messages: Sequence[Message], seconds: float = 0.0) -> None:
        self.messages = list(messages)
        self.seconds = seconds

    async def __call__(self) -> Message:
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return self.messages.pop(0)


def part(body: bytes, *, is_last: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": not is_last}


def read(receive: Arrivals, *, timeout_seconds: float = 5.0, length: int | None = None) -> bytes:
    components = Components(Settings(body_timeout_seconds=timeout_seconds, max_body_bytes=100))
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    app = SimpleNamespace(state=SimpleNamespace(components=components))
    request = Request({"type": "http", "headers": headers, "app": app}, receive)
    return asyncio.run(read_body(request, 10))


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_body_is_read_to_its_end(seconds: float) -> None:
    whole = Arrivals([part(b"abc")], seconds)
    parts = Arrivals([part(b"a", is_last=False), part(b"", is_last=False), part(b"bc")], seconds)

    assert (read(whole), read(parts)) == (b"abc", b"abc")
    assert not whole.messages
    assert not parts.messages


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_body_that_is_too_large_is_refused(seconds: float) -> None:
    with pytest.raises(BodyTooLarge):
        read(Arrivals([part(b"a" * 11)], seconds))
    with pytest.raises(BodyTooLarge):
        read(Arrivals([part(b"a" * 6, is_last=False), part(b"a" * 6)], seconds))


def test_an_announced_body_that_is_too_large_is_refused_unread() -> None:
    receive = Arrivals([part(b"a" * 11)])

    with pytest.raises(BodyTooLarge):
        read(receive, length=11)

    assert receive.messages


def test_a_body_that_takes_too_long_is_refused() -> None:
    with pytest.raises(RequestTimeout):
        read(Arrivals([part(b"a")], seconds=5.0), timeout_seconds=0.02)
    with pytest.raises(RequestTimeout):
        read(Arrivals([part(b"a", is_last=False)] * 1000, seconds=0.005), timeout_seconds=0.02)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_caller_who_left_is_noticed(seconds: float) -> None:
    with pytest.raises(ClientDisconnect):
        read(Arrivals([part(b"a", is_last=False), {"type": "http.disconnect"}], seconds))
