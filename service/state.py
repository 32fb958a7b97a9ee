"""What the running application holds in memory: ``request.app.state.nextoffer``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service.auth.key_ring import KeyRing
from service.auth.limits import RateLimiter
from service.decisions.ledger import Ledger
from service.housekeeping import Housekeeping
from service.live.listener import Listener
from service.live.tail import Tail
from service.registry.holder import ArtifactHolder
from service.registry.shadow import Shadow
from service.registry.store import ArtifactStore
from service.telemetry import Telemetry


@dataclass(frozen=True)
class State:
    """Made at start-up. Routes read it; background loops change what is in it."""

    key_ring: KeyRing
    limiter: RateLimiter
    store: ArtifactStore
    holder: ArtifactHolder
    tail: Tail
    listener: Listener | None
    shadow: Shadow | None
    ledger: Ledger
    housekeeping: Housekeeping
    telemetry: Telemetry
    now: Callable[[], datetime]
    is_up_sell_first: bool

    def database_is_up(self) -> bool:
        """Tell whether the database answers: the tail asks it all the time."""
        return self.tail.is_database_up
