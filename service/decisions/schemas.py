"""Decisions as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from service.base.examples import ACCOUNT_ID
from service.offers.schemas import RecommendationAnswer


class DecisionOut(BaseModel):
    """One decision: what was asked, what was answered, by whom and when."""

    decision_id: str
    account_id: str | None = Field(examples=[ACCOUNT_ID])
    decided_at: datetime
    key_id: str | None = Field(description="The API key that asked.")
    request: Any = Field(description="What was asked, beside the account.")
    answer: RecommendationAnswer = Field(description="What was answered, as it was sent.")
