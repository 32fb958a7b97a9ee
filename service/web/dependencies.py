"""What reading routes ask for: a session. Writing ones ask for ``service.web.unit_of_work``."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from service.base.errors import DatabaseUnavailable
from service.server.state import State
from service.storage.database import session_scope


def refuse_while_away(state: State) -> None:
    """Raise DatabaseUnavailable while the database is away: one that is frozen would hold the request for ever."""
    if not state.database_is_up():
        raise DatabaseUnavailable


def read_session(request: Request) -> Iterator[Session]:
    """Open a session that only reads."""
    refuse_while_away(request.app.state.nextoffer)
    with session_scope(request.app.state.read_sessions) as session:
        yield session


ReadSession = Annotated[Session, Depends(read_session, scope="function")]
