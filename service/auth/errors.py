"""Why a caller is turned away."""

from collections.abc import Sequence

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
        super().__init__(
            "This API key is unknown, revoked or expired. nextoffer keys list shows those that work; "
            "nextoffer keys create makes one."
        )


class ScopeMissing(DomainError):
    """The API key is good, but does not open this route."""

    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This API key lacks the scope `{scope}`. Use one that has it: nextoffer keys create --scopes {scope}"
        )


class OriginNotAllowed(DomainError):
    """The key works in the pages of some origins only, and the request does not come from one of them."""

    code = "origin-not-allowed"

    def __init__(self, *, is_missing: bool) -> None:
        reason = "the request has no Origin header" if is_missing else "the request's Origin is not among them"
        super().__init__(
            f"This API key works only in web pages of its origins, and {reason}. From a server, use a key with the "
            "scope `recommend`; for another shop, make a key: nextoffer keys create --scopes storefront --origins ..."
        )


class AccountNotAllowed(DomainError):
    """A request with a key that anybody can read names an account."""

    code = "account-not-allowed"

    def __init__(self) -> None:
        super().__init__(
            "A key with the scope `storefront` can be copied from the page, so its requests must not name an account. "
            "Leave out account_id, or ask from your server with a key that has the scope `recommend`."
        )


class FieldNotAllowed(DomainError):
    """A request with a key that anybody can read names product data that is not public."""

    code = "field-not-allowed"

    def __init__(self, place: str, field: str, allowed: Sequence[str]) -> None:
        names = ", ".join(allowed) or "nothing"
        super().__init__(
            f"A key with the scope `storefront` can be copied from the page, so `{place}` must not name "
            f"{field[:100]!r}. It may name: {names}. The service's setting NEXTOFFER_STOREFRONT_FIELDS lists these."
        )


class OriginsInvalid(DomainError):
    """Origins are missing for a key that needs them, are given for one that has no use for them, or can't be read."""

    code = "origins-invalid"


class ScopesConflict(DomainError):
    """A key with the scope ``storefront`` was to have other scopes, too."""

    code = "scopes-conflict"

    def __init__(self) -> None:
        super().__init__("A key with the scope storefront is public, and can't have another scope beside it.")


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
