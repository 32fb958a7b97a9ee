"""What the running application holds in memory: ``request.app.state.nextoffer``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service.auth.key_ring import KeyRing
from service.registry.holder import ArtifactHolder
from service.registry.store import ArtifactStore
from service.telemetry import Telemetry


@dataclass(frozen=True)
class State:
    """Made at start-up. Routes read it; background loops change what is in it."""

    key_ring: KeyRing
    store: ArtifactStore
    holder: ArtifactHolder
    telemetry: Telemetry
    now: Callable[[], datetime]

    def database_is_up(self) -> bool:
        """Tell whether the database answered of late: the key ring asks it all the time."""
        return self.key_ring.is_fresh
