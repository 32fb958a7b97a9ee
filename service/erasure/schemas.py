"""What an erasure answers. It names no account: answers to writes may be stored."""

from pydantic import BaseModel, Field


class ErasureOut(BaseModel):
    """What was deleted, and where the account is still named in files."""

    orders: int = Field(description="Orders of the account: guests' orders now, or deleted if that was asked for.")
    deals: int = Field(description="Deals that were deleted.")
    decisions: int = Field(description="Decisions that were deleted from the decision log.")
    is_objection_kept: bool = Field(
        description="Whether it objected to marketing. A keyed hash keeps that: if the account is stored again, it "
        "objects until it grants."
    )
    artifacts: list[str] = Field(
        description="Trained artifacts whose files still name the account. It is hidden in them; train a new one, and "
        "delete these."
    )
    sequence: int = Field(description="Every worker has applied the erasure once it has reached this change.")
