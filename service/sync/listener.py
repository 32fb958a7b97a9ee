"""On PostgreSQL, wakes the follower as soon as a change is committed. The follower's own poll finds the rest."""

import threading
from typing import Any, Final

from sqlalchemy import Engine

from service.storage.changes import CHANNEL
from service.storage.database import QUICK_TO_NOTICE
from service.sync.follower import ChangeFollower

NOTIFICATION_WAIT_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 2.0


class NotificationListener:
    """Holds one connection that waits for notifications. Without it the follower is later, by a poll."""

    def __init__(self, engine: Engine, follower: ChangeFollower) -> None:
        self._engine = engine
        self._follower = follower
        self._stopping = threading.Event()

    def run(self) -> None:
        """Listen until ``stop``; after a failure, connect anew."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception:  # The edge of a background thread. The follower reports a database that is away.
                self._stopping.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()

    def _listen(self) -> None:
        # Beside the pool: a connection in this state is of no other use.
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        driver: Any = self._engine.dialect.connect(*arguments, **options, **QUICK_TO_NOTICE)
        try:
            driver.set_autocommit(True)
            driver.execute(f"LISTEN {CHANNEL}")
            while not self._stopping.is_set():
                for _ in driver.notifies(timeout=NOTIFICATION_WAIT_SECONDS, stop_after=1):
                    self._follower.nudge()
        finally:
            driver.close()
