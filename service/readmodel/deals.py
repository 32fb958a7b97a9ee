"""What is in the pipeline, as it is held in memory."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """A deal that is neither won nor lost."""

    deal_id: str
    product_id: str
    stage: str
    value_minor: int | None
    currency: str | None
    opened_at: datetime | None
    expected_close: date | None
