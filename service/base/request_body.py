"""The base of every request body: a null is a field that was not given."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticUseDefault


class RequestBody(BaseModel):
    """A JSON object that callers send. Clients of typed languages send null for each field that they did not set.

    An optional field reads null as its default, and still counts as set: partial updates tell null from left out.
    """

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _read_null_as_default(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name and not cls.model_fields[info.field_name].is_required():
            raise PydanticUseDefault
        return value
