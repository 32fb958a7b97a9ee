"""When a policy is in force."""

from datetime import datetime


class InForce:
    """A policy that may begin and end. valid_until: the first moment at which it is not in force any more."""

    valid_from: datetime | None
    valid_until: datetime | None

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it applies now."""
        has_begun = self.valid_from is None or self.valid_from <= now
        return has_begun and (self.valid_until is None or now < self.valid_until)
