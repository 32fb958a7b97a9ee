"""What a caller asks for."""

from collections.abc import Sequence
from typing import NamedTuple


class OfferRequest(NamedTuple):
    """One request for offers. A batch asks the same for many accounts: see ``facts.gather``."""

    account_id: str | None
    limit: int
    basket: Sequence[str] = ()
    exclude: Sequence[str] = ()
    is_dry_run: bool = False
    placement: str | None = None
