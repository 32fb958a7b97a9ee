"""A request may name a change that its answer must reflect: it waits, up to a bound, until that is applied here."""

import asyncio
import time
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from service.base.components import Components, components_of
from service.base.errors import DomainError
from service.base.headers import headers_of
from service.base.settings import Settings
from service.sync.artifact_holder import ArtifactHolder
from service.sync.follower import ChangeFollower

HEADER: Final = b"x-min-sequence"
POLL_SECONDS: Final = 0.005
MAX_SEQUENCE: Final = 2**63 - 1


class SequenceNotReached(DomainError):
    """The change that the request names is not applied here yet."""

    code = "sequence-not-reached"
    retry_after_seconds = 1

    def __init__(self, wanted: int, reached: int) -> None:
        super().__init__(f"Change {wanted} is not applied here yet; the newest is {reached}. Try again.")


async def wait_for_min_sequence(request: Request) -> None:
    """Wait for the change that the request's X-Min-Sequence names, if it names one. A dependency of reading routes.

    Raises SequenceNotReached, or RequestValidationError for what is not a sequence number.
    """
    header = headers_of(request.scope).get(HEADER)
    if header is not None:
        await wait_for_sequence(components_of(request.app), parse_sequence(header))


def parse_sequence(header: bytes) -> int:
    """Read a sequence number; raises RequestValidationError."""
    if not (header.isdigit() and len(header) < 20 and int(header) <= MAX_SEQUENCE):
        message = "Input should be a whole number, as X-Sequence gave it"
        raise RequestValidationError([{"loc": ("header", "X-Min-Sequence"), "msg": message, "type": "int_parsing"}])
    return int(header)


async def wait_for_sequence(components: Components, wanted: int) -> None:
    """Wait until a change is applied; raises SequenceNotReached after the bound that the settings give."""
    holder, follower = components.get(ArtifactHolder), components.get(ChangeFollower)
    deadline = time.monotonic() + components.get(Settings).max_sequence_wait_seconds
    while (reached := applied_sequence(holder)) < wanted:
        if time.monotonic() >= deadline:
            raise SequenceNotReached(wanted, reached)
        follower.nudge()
        await asyncio.sleep(POLL_SECONDS)


def applied_sequence(holder: ArtifactHolder) -> int:
    """Return the newest change that answers reflect."""
    return holder.current.state.sequence if holder.current else 0
