"""The base of every request body: a null is a field that was not given."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticUseDefault


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


class PartialUpdate(RequestBody):
    """An object of which a part may be updated: a field that is left out keeps its value, and null clears it.

    The schema says so field by field, but for those in ``described_fields``, whose own descriptions do.
    """

    described_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, part in schema.get("properties", {}).items():
            if name not in schema.get("required", ()) and name not in cls.described_fields:
                part["description"] = f"{part.get('description', '')} {_what_null_does(part.get('default'))}".strip()
        return schema


def _what_null_does(default: object) -> str:
    does = f"resets it to `{str(default).lower()}`" if isinstance(default, bool) else "clears it"
    return f"Left out, it stays as it is; null {does}."
