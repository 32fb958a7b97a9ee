"""Requests that arrive together are decided together.

Array operations cost per call rather than per account: deciding for sixteen accounts at once takes about as long as for
three one by one. Requests therefore wait while each turn of the event loop brings another one, and no longer: a turn
without work takes a few microseconds. With 16 connections an eighth more requests are answered than without that wait.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from service.offers.respond import Call

MAX_TOGETHER: Final = 32
"""About a millisecond's work: a request that comes meanwhile waits no longer."""


class Responder(Protocol):
    """Answers some calls at once."""

    def respond_many(self, calls: Sequence[Call]) -> list[bytes | Exception]:
        """Return a response for each call, or what failed. Whatever is raised, no call was answered or recorded."""


class Batcher:
    """Collects calls while each turn of the event loop brings more, and answers them together."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._waiting: list[tuple[Call, asyncio.Future[bytes]]] = []
        self._n_before = 0

    async def respond(self, call: Call) -> bytes:
        """Return the response to one call; raises whatever answering it raises."""
        loop = asyncio.get_running_loop()
        response: asyncio.Future[bytes] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._take_turn)
        self._waiting.append((call, response))
        return await response

    def _take_turn(self) -> None:
        """Answer what waits, unless this turn of the event loop brought more and there is room for the next one's."""
        n_waiting = len(self._waiting)
        if self._n_before < n_waiting < MAX_TOGETHER:
            self._n_before = n_waiting
        else:
            self._n_before = 0
            batch, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            self._answer(batch)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _answer(self, batch: Sequence[tuple[Call, asyncio.Future[bytes]]]) -> None:
        # A caller that hung up meanwhile is not answered, and nothing is recorded for it.
        batch = [(call, response) for call, response in batch if not response.done()]
        if not batch:
            return
        answers = self._respond([call for call, _ in batch])
        for (_, response), answer in zip(batch, answers, strict=True):
            if isinstance(answer, StopIteration):  # A future refuses this one.
                response.set_exception(RuntimeError(repr(answer)))
            elif isinstance(answer, Exception):
                response.set_exception(answer)
            else:
                response.set_result(answer)

    def _respond(self, calls: Sequence[Call]) -> list[bytes | Exception]:
        try:
            return self._responder.respond_many(calls)
        except Exception as error:  # Handed to the callers, whose requests fail with it.
            if len(calls) == 1:
                return [error]
            # Only those calls may fail that fail by themselves.
            return [answer for call in calls for answer in self._respond([call])]
