"""A request may name a change that it must see: it waits until this worker has applied it, up to a bound."""

import asyncio
import time
from typing import Annotated, Final

from fastapi import Header
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from service.base.errors import DomainError
from service.server.state import State
from service.web.decoding import headers_of

HEADER: Final = b"x-min-sequence"
LOOK_SECONDS: Final = 0.005
LARGEST: Final = 2**63 - 1


class SequenceNotReached(DomainError):
    """The change that the request names is not applied here yet."""

    code = "sequence-not-reached"
    retry_after_seconds = 1

    def __init__(self, wanted: int, reached: int) -> None:
        super().__init__(f"Change {wanted} is not applied here yet; the newest is {reached}. Try again.")


async def wait_for_named_sequence(request: Request) -> None:
    """Wait for the change that the request's X-Min-Sequence names, if it names one.

    Raises SequenceNotReached, or RequestValidationError for what is no sequence number.
    """
    named = headers_of(request.scope).get(HEADER)
    if named is not None:
        app_state = request.app.state
        await wait_for_sequence(
            app_state.nextoffer, parse_sequence(named), app_state.settings.longest_sequence_wait_seconds
        )


async def wait_for_min_sequence(
    request: Request,
    min_sequence: Annotated[
        int | None,
        Header(
            alias="X-Min-Sequence",
            ge=0,
            le=LARGEST,
            description="`X-Sequence` of a write that the answer must reflect.",
        ),
    ] = None,
) -> None:
    """Wait for the change that the request names, where FastAPI reads the header; raises SequenceNotReached."""
    if min_sequence is not None:
        app_state = request.app.state
        await wait_for_sequence(app_state.nextoffer, min_sequence, app_state.settings.longest_sequence_wait_seconds)


def is_reached(state: State, named: bytes) -> bool:
    """Tell whether the change that an X-Min-Sequence names is applied; raises RequestValidationError."""
    return parse_sequence(named) <= sequence_of(state)


def parse_sequence(named: bytes) -> int:
    """Read a sequence number; raises RequestValidationError."""
    if not (named.isdigit() and len(named) < 20 and int(named) <= LARGEST):
        message = "Input should be a whole number, as X-Sequence gave it"
        raise RequestValidationError([{"loc": ("header", "X-Min-Sequence"), "msg": message, "type": "int_parsing"}])
    return int(named)


async def wait_for_sequence(state: State, wanted: int, longest_seconds: float) -> None:
    """Wait until a change is applied; raises SequenceNotReached after the bound."""
    deadline = time.monotonic() + longest_seconds
    while (reached := sequence_of(state)) < wanted:
        if time.monotonic() >= deadline:
            raise SequenceNotReached(wanted, reached)
        state.tail.nudge()
        await asyncio.sleep(LOOK_SECONDS)


def sequence_of(state: State) -> int:
    """The newest change that answers reflect."""
    current = state.holder.current
    return current.state.sequence if current else 0
