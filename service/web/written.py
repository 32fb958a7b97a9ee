"""What every write answers beside what was written: the number of its change."""

from typing import Any

from pydantic import BaseModel, Field, create_model


class Written(BaseModel):
    """A write that is stored."""

    sequence: int = Field(
        description="The number of this write's change, as in the header `X-Sequence`: requests that name it in "
        "`X-Min-Sequence` see the write.",
        examples=[87],
    )


def written(model: type[BaseModel] | None) -> type[BaseModel]:
    """Return the model of an answer to a write: ``model`` with the sequence number."""
    if model is None:
        return Written
    if "sequence" in model.model_fields:
        return model
    made: Any = create_model(f"Written{model.__name__.removesuffix('Out')}", __base__=(model, Written))
    made.__doc__ = model.__doc__
    result: type[BaseModel] = made
    return result
