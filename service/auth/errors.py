"""Why a caller is turned away."""

from service.base.errors import DomainError


class KeyMissing(DomainError):
    """The request carries no API key."""

    code = "key-missing"

    def __init__(self) -> None:
        super().__init__("Send an API key as `Authorization: Bearer nxo_...` or as `X-API-Key: nxo_...`.")


class KeyInvalid(DomainError):
    """The API key is unknown, revoked or expired; the answer does not say which."""

    code = "key-invalid"

    def __init__(self) -> None:
        super().__init__("This API key is unknown, revoked or expired.")


class ScopeMissing(DomainError):
    """The API key is good, but does not open this route."""

    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key lacks the scope `{scope}`.")


class KeyNotFound(DomainError):
    """There is no key of that identifier."""

    code = "key-not-found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no API key {key_id}. See: nextoffer keys list")


class ScopeUnknown(DomainError):
    """A key was asked for with a scope that does not exist, or with none."""

    code = "scope-unknown"

    def __init__(self, scope: str, known: list[str]) -> None:
        named = f"There is no scope {scope}" if scope else "A key needs a scope"
        super().__init__(f"{named}; choose among {', '.join(known)}.")


class RateLimited(DomainError):
    """The key has asked more often than it may."""

    code = "rate-limited"

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"This API key may ask {limit}. Try again in {retry_after_seconds} s, or ask in batches.")


class LimitUnreadable(DomainError):
    """A rate limit is not written as one."""

    code = "rate-limit-unreadable"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no rate limit; write for example 100/second or 5000/minute.")
