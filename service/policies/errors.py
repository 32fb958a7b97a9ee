"""What can be wrong with a request about policies."""

from service.base.errors import DomainError


class UnknownPolicy(DomainError):
    """No policy has this id."""

    code = "unknown-policy"

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"There is no policy {policy_id!r}. GET /v1/policies lists those that there are.")


class PolicyExists(DomainError):
    """Another policy has this id, or this name."""

    code = "policy-exists"

    def __init__(self, policy_id: str, name: str, *, is_id: bool) -> None:
        which = f"the id {policy_id!r}" if is_id else f"the name {name!r}"
        super().__init__(f"There is a policy with {which} already. PATCH changes it; or choose another one.")


class TooManyPolicies(DomainError):
    """As many policies as may be stored."""

    code = "too-many-policies"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} policies, as many as there may be. Delete one first.")


class PolicyRefused(DomainError):
    """A policy names what does not exist."""

    code = "policy-refused"


class BuiltInPolicy(DomainError):
    """A built-in policy can be switched on and off at most."""

    code = "built-in-policy"

    def __init__(self, policy_id: str) -> None:
        super().__init__(
            f"{policy_id!r} is built in: it can't be deleted, and nothing but `is_enabled` can be changed. Store a "
            "policy of your own: POST /v1/policies."
        )


class PolicyAlwaysOn(DomainError):
    """A built-in policy that can't be switched off."""

    code = "policy-always-on"

    def __init__(self, policy_id: str, reason: str) -> None:
        super().__init__(f"{policy_id!r} can't be switched off: {reason}.")


class PolicyChanged(DomainError):
    """The policy is not as the caller last saw it."""

    code = "policy-changed"

    def __init__(self, policy_id: str, version: int) -> None:
        super().__init__(
            f"The policy {policy_id!r} was changed since: it is at version {version} now. GET it, and send your change "
            "with its new ETag."
        )
