"""Sessions as parts of the application: a module that only reads can't be handed one that writes."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from service.storage.database import session_scope


@dataclass(frozen=True)
class ReadSessions:
    """Opens sessions that only read: on SQLite they never wait for a writer."""

    factory: sessionmaker[Session]

    def open(self) -> AbstractContextManager[Session]:
        """Open one transaction."""
        return session_scope(self.factory)


@dataclass(frozen=True)
class WriteSessions:
    """Opens sessions that write."""

    factory: sessionmaker[Session]

    def open(self) -> AbstractContextManager[Session]:
        """Open one transaction, which is committed at its end unless an exception leaves it."""
        return session_scope(self.factory)
