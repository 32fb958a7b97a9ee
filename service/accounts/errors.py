"""What can be wrong with a request about accounts."""

from service.base.errors import DomainError


class HierarchyChanged(DomainError):
    """While a file was read, somebody else gave accounts parents that do not go together with those of the file."""

    code = "hierarchy-changed"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"While the file was read, parents of accounts were changed elsewhere; with those of the file they make a "
            f"cycle or too many levels: {path}. Nothing of the file was stored. Import it again."
        )


class UnknownNote(DomainError):
    """An account has no such note."""

    code = "unknown-note"

    def __init__(self, account_id: str, note_id: str) -> None:
        super().__init__(
            f"Account {account_id!r} has no note {note_id!r}. GET /v1/accounts/{{account_id}}/notes lists its notes."
        )


class TooManyNotes(DomainError):
    """An account has as many notes as it may have."""

    code = "too-many-notes"

    def __init__(self, account_id: str, limit: int) -> None:
        super().__init__(f"Account {account_id!r} has {limit} notes, the most that are possible. Delete some first.")


class UnknownAccount(DomainError):
    """Nobody has named this account yet."""

    code = "unknown-account"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"There is no account {account_id!r}. GET /v1/accounts lists those that there are.")
