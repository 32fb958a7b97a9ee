"""What can be wrong with a request about segments."""

from service.base.errors import DomainError


class NothingLearned(DomainError):
    """No artifact is in use, so nothing is known of accounts."""

    code = "nothing-learned"

    def __init__(self) -> None:
        super().__init__("No artifact is in use: nothing was learned of accounts yet. Train one: nextoffer train")


class SegmentExists(DomainError):
    """Another segment has this id."""

    code = "segment-exists"

    def __init__(self, segment_id: str) -> None:
        super().__init__(f"There is a segment {segment_id!r} already. PUT replaces it; or give this one another slug.")


class TooManySegments(DomainError):
    """As many segments as are kept in memory."""

    code = "too-many-segments"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} segments of rules, as many as there may be. Delete one first.")


class BuiltInSegment(DomainError):
    """The segment is not one that users define."""

    code = "built-in-segment"

    def __init__(self, segment_id: str) -> None:
        super().__init__(
            f"{segment_id!r} is no segment of a rule: it can't be changed or deleted. Define one of your own: "
            "POST /v1/segments."
        )


class UnknownFamily(DomainError):
    """No family of segments has this id."""

    code = "unknown-family"

    def __init__(self, family_id: str, known: list[str]) -> None:
        super().__init__(f"There is no family of segments {family_id!r}. There are: {', '.join(known)}.")
