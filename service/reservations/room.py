"""What is left of caps, counted in the transaction that takes from it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from service.policies.caps import count_uses
from service.readmodel.caps import Cap
from service.readmodel.contact_policies import ContactProduct, covers


class Room:
    """What is left of the caps in force. Call ``take_turn`` first: nobody else may take meanwhile."""

    def __init__(self, connection: Connection, caps: Sequence[Cap], now: datetime) -> None:
        self._connection = connection
        self._caps = [cap for cap in caps if cap.is_in_force(now)]
        self._now = now
        self._used: dict[str, dict[str, int]] = {}

    def caps_of(self, product: ContactProduct) -> list[Cap]:
        """Return the caps that a product counts for."""
        return [cap for cap in self._caps if covers(cap.scope, product)]

    def take(self, product: ContactProduct) -> Cap | None:
        """Take one of a product, or return the first cap of which nothing is left for it."""
        counted = [(cap, self._used_of(cap), cap.key_of(product.product_id)) for cap in self.caps_of(product)]
        for cap, used, key in counted:
            if used.get(key, 0) >= cap.at_most:
                return cap
        for _, used, key in counted:
            used[key] = used.get(key, 0) + 1
        return None

    def _used_of(self, cap: Cap) -> dict[str, int]:
        if cap.id not in self._used:
            uses = count_uses(self._connection, [cap]).uses
            self._used[cap.id] = {key: use.n_used(self._now) for (_, key), use in uses.items()}
        return self._used[cap.id]
