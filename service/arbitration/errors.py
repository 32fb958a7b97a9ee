"""What can be wrong with a request about arbitration."""

from service.base.errors import DomainError


class ArbitrationChanged(DomainError):
    """It is not as the caller last saw it."""

    code = "arbitration-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"How offers are ranked was changed since: it is at version {version} now. GET /v1/arbitration, and send "
            "your change with its new ETag."
        )
