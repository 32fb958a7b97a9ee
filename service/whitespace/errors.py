"""What can be wrong with a request about white space."""

from service.base.errors import DomainError


class UnknownFamily(DomainError):
    """No family of segments has this id."""

    code = "unknown-family"

    def __init__(self, family_id: str, known: list[str]) -> None:
        super().__init__(f"There is no family of segments {family_id!r}. There are: {', '.join(known)}.")
