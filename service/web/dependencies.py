"""What reading routes ask for: a session. Writing ones ask for ``service.web.unit_of_work``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from service.base.components import components_of
from service.base.errors import DatabaseUnavailable
from service.storage.sessions import ReadSessions
from service.sync.follower import ChangeFollower


def refuse_while_away(app: Any) -> None:
    """Raise DatabaseUnavailable while the database is away: one that is frozen would hold the request forever."""
    if not components_of(app).get(ChangeFollower).is_database_up:
        raise DatabaseUnavailable


@contextmanager
def open_read_session(app: Any) -> Iterator[Session]:
    """Open a session that only reads; raises DatabaseUnavailable."""
    refuse_while_away(app)
    with components_of(app).get(ReadSessions).open() as session:
        yield session


def _read_session(request: Request) -> Iterator[Session]:
    with open_read_session(request.app) as session:
        yield session


ReadSession = Annotated[Session, Depends(_read_session, scope="function")]
