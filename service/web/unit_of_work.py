"""The one transaction of a writing request: the changes that it makes, and one answer per idempotency key."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Connection

from service.auth.dependencies import authenticate
from service.base.clock import Clock
from service.base.components import components_of
from service.storage.changes import ChangeLog
from service.storage.sessions import WriteSessions
from service.storage.turns import hold_off_erasures, wait_for_writers
from service.sync.follower import ChangeFollower
from service.web.dependencies import refuse_while_away
from service.web.idempotency.queries import Claim, claim, keep_answer

SEQUENCE_HEADER: Final = "X-Sequence"


@dataclass(frozen=True)
class UnitOfWork:
    """The one transaction of a writing request."""

    connection: Connection
    now: datetime
    claim: Claim | None
    changes: ChangeLog = field(default_factory=ChangeLog)

    def answer(self, work: Callable[["UnitOfWork"], Response]) -> Response:
        """Do the work and write its changes; the answer carries the sequence number that reflects them.

        Under an idempotency key it is done once: a request with the same key gets the same answer. All of it is one
        transaction, so that a key is never kept without its write, nor a write without its key.
        """
        if self.claim is None:
            return self._do(work)
        before = claim(self.connection, self.claim, self.now)
        if before is not None:
            return before
        response = self._do(work)
        keep_answer(self.connection, self.claim, response)
        return response

    def _do(self, work: Callable[["UnitOfWork"], Response]) -> Response:
        response = work(self)
        return with_sequence(response, self.changes.write(self.connection, self.now))


def with_sequence(response: Response, sequence: int) -> Response:
    """Add the sequence number to an answer: to its headers, and to its JSON object, for clients that see no headers.

    An answer without a body gets one. The number is known only after the work, and the object may be megabytes long:
    hence it is spliced in, not encoded anew.
    """
    body = bytes(response.body)
    opening = (body.removesuffix(b"}") + b",") if len(body) > len(b"{}") else b"{"
    response.body = b'%s"sequence":%d}' % (opening, sequence)
    response.status_code = 200 if response.status_code == 204 else response.status_code
    response.headers["Content-Length"] = str(len(response.body))
    response.headers["Content-Type"] = "application/json"
    response.headers[SEQUENCE_HEADER] = str(sequence)
    return response


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]*$",
        description="A text of your own for this write, such as a UUID. A request that is sent again with the same key "
        "within two days is carried out once, and gets the same answer.",
    ),
]


async def _read_claim(request: Request, idempotency_key: IdempotencyKey = None) -> Callable[[], Claim] | None:
    """Read what a claim is made from.

    The claim is made in the thread that writes: the digest of a large body takes 20 ms, which would block all requests.
    """
    if idempotency_key is None:
        return None
    principal = await authenticate(request.scope)
    return partial(_make_claim, request, principal.key_id, idempotency_key, await request.body())


def _make_claim(request: Request, key_id: str, idempotency_key: str, body: bytes) -> Claim:
    query = request.scope["query_string"].decode("latin-1")
    parts = (request.method, request.scope["path"], query, request.headers.get("content-type") or "")
    digest = sha256("".join(f"{part}\0" for part in parts).encode(errors="replace"))
    digest.update(body)
    return Claim(key_id, idempotency_key, digest.hexdigest())


MakeClaim = Annotated[Callable[[], Claim] | None, Depends(_read_claim)]


def _open_write(request: Request, make_claim: MakeClaim) -> Iterator[UnitOfWork]:
    yield from _open(request, make_claim, hold_off_erasures)


def _open_erasure(request: Request, make_claim: MakeClaim) -> Iterator[UnitOfWork]:
    yield from _open(request, make_claim, wait_for_writers)


def _open(
    request: Request, make_claim: Callable[[], Claim] | None, take_turn: Callable[[Connection], None]
) -> Iterator[UnitOfWork]:
    components = components_of(request.app)
    refuse_while_away(request.app)
    claimed = make_claim() if make_claim else None
    with components.get(WriteSessions).open() as session:
        connection = session.connection()
        take_turn(connection)
        yield UnitOfWork(connection, components.get(Clock).now(), claimed)
    # It is committed. This worker applies it before the caller has the answer.
    follower = components.get(ChangeFollower)
    try:
        follower.catch_up()
    except Exception:  # A failure here must not deny the write. The follower's thread meets and reports it, too.
        follower.nudge()


# With the default scope ("request") the commit would come after the answer, and a failing one still say 201.
UnitOfWorkDep = Annotated[UnitOfWork, Depends(_open_write, scope="function")]
ErasureDep = Annotated[UnitOfWork, Depends(_open_erasure, scope="function")]
"""The same for an erasure, which no other write goes on beside."""
