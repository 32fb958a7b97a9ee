"""Errors in a sales history."""

from collections.abc import Sequence


class HistoryInvalid(Exception):
    """A history that can't be learned from: each problem names its source, row and field."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source = source
        self.problems = list(problems)
