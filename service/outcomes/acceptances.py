"""What is done when an outcome says that an offer was accepted, and when that is retracted."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from service.web.unit_of_work import UnitOfWork


class Acceptance(NamedTuple):
    """An offer that an account accepted. line, category: of its product then; None where it had none."""

    account_id: str
    product_id: str
    decision_id: str | None
    line: str | None
    category: str | None


class TakesUp(Protocol):
    """Takes offers up, and gives them back, in the transaction that stores the outcomes."""

    def take_up(self, write: UnitOfWork, accepted: Sequence[Acceptance]) -> None:
        """Count what was accepted."""

    def give_back(self, write: UnitOfWork, account_id: str, product_id: str) -> None:
        """Count one acceptance less."""


class Acceptances(NamedTuple):
    """The part of the application that outcomes tell of acceptances."""

    reservations: TakesUp
