"""Goals and pain points of accounts as callers write and read them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from service.base.request_body import RequestBody
from service.rows.field_types import MAX_TEXT, OptionalDay, OptionalTimestamp
from service.rows.text_fields import is_blank, read_text

MAX_NAME: Final = 200


class NoteKind(StrEnum):
    """What a note is about."""

    GOAL = "goal"
    PAIN_POINT = "pain_point"


def _read_text(value: object) -> str:
    if is_blank(value):
        raise ValueError("is empty")
    return read_text(value)


def _read_name(value: object) -> str | None:
    return None if is_blank(value) else read_text(value, MAX_NAME)


NoteText = Annotated[
    str, BeforeValidator(_read_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT})
]
Name = Annotated[
    str | None,
    BeforeValidator(_read_name),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": MAX_NAME}, {"type": "null"}]}),
]


class AccountNoteIn(RequestBody):
    """A goal or a pain point of an account, and where it is known from."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "pain_point",
                "text": "Deliveries to the second plant come late.",
                "source": "call",
                "noted_at": "2024-02-28T09:30:00Z",
                "noted_by": "K. Meier",
                "valid_until": "2024-12-31",
            }
        }
    )

    kind: NoteKind
    text: NoteText = Field(description="In plain words; at most 1,000 characters.")
    source: Name = Field(default=None, description="Where it is known from: a call, a CRM, a person.")
    noted_at: OptionalTimestamp = Field(default=None, description="When it was said or seen; now if left out.")
    noted_by: Name = Field(default=None, description="Who noted it.")
    valid_until: OptionalDay = Field(
        default=None, description="The last day on which it counts, in UTC; until it is deleted if left out."
    )


class AccountNote(BaseModel):
    """A goal or a pain point of an account, and where it is known from."""

    note_id: str
    kind: NoteKind
    text: str
    source: str | None = Field(description="Where it is known from.")
    noted_at: datetime = Field(description="When it was said or seen.")
    noted_by: str | None
    valid_until: date | None = Field(description="The last day on which it counts, in UTC; null for no end.")


class NoteStored(BaseModel):
    """A note that is stored."""

    account_id: str
    note_id: str = Field(description="To delete it by.")
