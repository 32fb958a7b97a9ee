"""Errors of the training commands."""

from collections.abc import Sequence

from service.base.errors import DomainError


class TrainingNotInstalled(DomainError):
    """A library that only training needs is missing."""

    code = "training-not-installed"

    def __init__(self, missing: str | None) -> None:
        super().__init__(f"{missing} is not installed. Run: pip install 'nextoffer[train]'")


class OptionInvalid(DomainError):
    """An option of a command is invalid."""

    code = "option-invalid"


class ScoresInvalid(DomainError):
    """A file of extra scores that can't be used."""

    code = "scores-invalid"


class AccountsMissing(DomainError):
    """Order lines without a column of accounts, where accounts are to be learned from."""

    code = "missing-column"

    def __init__(self, missing: Exception) -> None:
        super().__init__(f"{missing} Where all orders are guests', train with --basket-only.")


class RowsRejected(DomainError):
    """Files to learn from hold more invalid rows than allowed."""

    code = "too-many-rejects"

    def __init__(self, limit: int, first: Sequence[str]) -> None:
        allowed = f"More than {limit} rows are invalid" if limit else "Rows are invalid"
        listed = "".join(f"\n  {row}" for row in first)
        super().__init__(
            f"{allowed}, so nothing was learned. The first of them:{listed}\n"
            "Correct them, or let training leave rows out with --max-rejects N."
        )
