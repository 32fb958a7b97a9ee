"""What can be wrong with a request about accounts."""

from service.base.errors import DomainError


class UnknownAccount(DomainError):
    """Nobody has named this account yet."""

    code = "unknown-account"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"There is no account {account_id!r}. GET /v1/accounts lists those that there are.")
