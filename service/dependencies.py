"""What routes ask for: a session that commits, or one that only reads."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from service.database import session_scope


def write_session(request: Request) -> Iterator[Session]:
    """Open the one session of a writing request; it alone commits, before the answer is sent."""
    with session_scope(request.app.state.write_sessions) as session:
        yield session


def read_session(request: Request) -> Iterator[Session]:
    """Open a session that only reads."""
    with session_scope(request.app.state.read_sessions) as session:
        yield session


# With the default scope ("request") the commit would come after the answer, and a failing one still say 201.
WriteSession = Annotated[Session, Depends(write_session, scope="function")]
ReadSession = Annotated[Session, Depends(read_session, scope="function")]
