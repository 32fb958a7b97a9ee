"""What can be wrong with a request about goals or weights."""

from collections.abc import Sequence

from service.base.errors import DomainError
from service.readmodel.goals import ScopeKind


class UnknownGoal(DomainError):
    """No goal has this id."""

    code = "unknown-goal"

    def __init__(self, goal_id: str) -> None:
        super().__init__(f"There is no goal {goal_id!r}. GET /v1/goals lists those that there are.")


class GoalExists(DomainError):
    """Another goal has this id."""

    code = "goal-exists"

    def __init__(self, goal_id: str) -> None:
        super().__init__(f"There is a goal {goal_id!r} already. PATCH changes it; or give this one another goal_id.")


class GoalModified(DomainError):
    """The goal is not at the version that the request is based on."""

    code = "goal-modified"

    def __init__(self, goal_id: str, version: int) -> None:
        super().__init__(
            f"The goal {goal_id!r} is at version {version}: it was changed since you read it. GET it, and decide again."
        )


class TooManyGoals(DomainError):
    """As many goals as are kept in memory."""

    code = "too-many-goals"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} goals, as many as there may be. Delete one first.")


class TooManyWeights(DomainError):
    """As many weights as are kept in memory."""

    code = "too-many-weights"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} weights, as many as there may be. Delete one first.")


class WeightModified(DomainError):
    """The weight is not at the version that the request is based on."""

    code = "weight-modified"

    def __init__(self, kind: ScopeKind, name: str, version: int | None) -> None:
        now = "is not set any more" if version is None else f"is at version {version}"
        super().__init__(
            f"The weight on {name!r} of {kind} {now}: it was changed since you read it. GET it, and decide again."
        )


class ScopeMatchesNothing(DomainError):
    """No product is what a goal or a weight is set on."""

    code = "scope-matches-nothing"

    def __init__(self, kind: ScopeKind, names: Sequence[str]) -> None:
        shown = ", ".join(repr(name) for name in names[:5]) + (" and others" if len(names) > 5 else "")
        there_is = f"are no products {shown}" if kind is ScopeKind.PRODUCTS else f"is no product of the {kind} {shown}"
        super().__init__(f"There {there_is}. GET /v1/products shows what there is; import the catalogue first.")


class UnknownWeight(DomainError):
    """No weight is set on this."""

    code = "unknown-weight"

    def __init__(self, kind: ScopeKind, name: str) -> None:
        super().__init__(f"No weight is set on {name!r} of {kind}. GET /v1/lever-weights lists those that are.")
