"""Errors of a request that names what is not in memory."""

from service.base.errors import DomainError


class UnknownSegment(DomainError):
    """No segment has this id."""

    code = "unknown-segment"

    def __init__(self, segment_id: str) -> None:
        super().__init__(f"There is no segment {segment_id!r}. GET /v1/segments lists those that there are.")


class UnknownRow(DomainError):
    """No product is in a line, or a category, of this name."""

    code = "unknown-row"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"No product of the artifact in use has the {kind} {name!r}. GET /v1/products shows what each has."
        )


class UnknownFamily(DomainError):
    """No family of segments has this id."""

    code = "unknown-family"

    def __init__(self, family_id: str, known: list[str]) -> None:
        super().__init__(f"There is no family of segments {family_id!r}. There are: {', '.join(known)}.")
