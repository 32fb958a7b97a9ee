"""Artifacts as the API shows them."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from service.base.examples import ARTIFACT_VERSION


class ArtifactState(StrEnum):
    """What may be done with an artifact."""

    APPROVED = "approved"
    REJECTED = "rejected"
    INVALID = "invalid"


class ArtifactOut(BaseModel):
    """One trained artifact."""

    version: str = Field(examples=[ARTIFACT_VERSION])
    state: ArtifactState = Field(
        description="`approved` and `rejected` by the evaluation gate; `invalid` can't be read and is never served."
    )
    reason: str = Field(description="Why the gate decided so, or what is wrong with the files.")
    is_active: bool = Field(description="Whether it is the activated one.")
    is_live: bool = Field(description="Whether the process that answers serves from it right now.")
    label: str = Field(description="What `nextoffer train --label` named it; empty without one.")
    as_of: str | None = Field(description="Where its data ends, UTC.")
    timezone: str | None = Field(
        description="IANA name of the time zone that its days are of; null where it can't be read.",
        examples=["Europe/Berlin"],
    )
    reporting_currency: str | None = Field(
        description="ISO 4217 code of all its money; null where its data names none."
    )
    counts: dict[str, int] = Field(description="How many accounts, products and so on it was learned from.")
    metrics: dict[str, Any] = Field(description="What the evaluation measured on the held-out period.")


class ArtifactDetail(ArtifactOut):
    """One artifact with all that is known of it."""

    parameters: dict[str, Any] = Field(description="What it was trained with.")
    data_fingerprint: str = Field(description="Digest of the training data: equal data has equal digests.")
    library_versions: dict[str, str]
    report: dict[str, Any] = Field(description="The full evaluation report.")
