"""What the stage of a deal means: won, lost or open.

CRMs let every company name its own stages, so only words whose meaning is certain are known here. Flags of the CRM
(``is_won``, ``is_closed``) decide before any word: the CRM derives them from its own definition of the stage.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Final, Literal

from service.rows.text_fields import shown

DealStatus = Literal["open", "won", "lost"]

_WON: Final = ("Won", "Closed Won", "Won - Closed", "Close Won", "Closed and Won", "Deal Won")
_LOST: Final = (
    "Lost", "Closed Lost", "Lost - Closed", "Close Lost", "Closed and Lost", "Deal Lost",
    "Closed-Lost to Competition",  # Zoho
    "Canceled", "Cancelled", "Out-Sold",  # Dynamics: reasons of the state Lost
    "Abandoned",
)  # fmt: skip
_OPEN: Final = (
    "Open", "In Progress", "On Hold", "New",
    # Salesforce
    "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers",
    "Perception Analysis", "Proposal/Price Quote", "Negotiation/Review",
    # HubSpot: the ids of its default pipeline's stages are their labels without spaces
    "Appointment Scheduled", "Qualified to Buy", "Presentation Scheduled", "Decision Maker Bought-In", "Contract Sent",
    # Pipedrive
    "Qualified", "Contact Made", "Demo Scheduled", "Proposal Made", "Negotiations Started",
    # Zoho
    "Identify Decision Makers",
    # Dynamics
    "Qualify", "Develop", "Propose",
    # General
    "Engaging", "Demo", "Proposal", "Negotiation",
)  # fmt: skip


def _word_of(stage: str) -> str:
    # Without digits: many companies number their stages ("6 - Closed Won") or add a probability ("Closed Won (100 %)").
    return "".join(letter for letter in stage.casefold() if letter.isalnum() and not letter.isdigit())


KNOWN_STAGES: Final[Mapping[str, DealStatus]] = {
    **{_word_of(stage): "won" for stage in _WON},
    **{_word_of(stage): "lost" for stage in _LOST},
    **{_word_of(stage): "open" for stage in _OPEN},
}
_CLOSING_WORDS: Final = ("won", "lost", "closed")


def known_status(stage: str, value_map: Mapping[str, DealStatus] | None = None) -> DealStatus | None:
    """What a stage means, whatever its case, spaces, punctuation and digits; None if that is not known.

    value_map: the caller's own stages in lower case, which count before the known words.
    """
    return (value_map or {}).get(stage.strip().casefold()) or KNOWN_STAGES.get(_word_of(stage))


def status_of(
    stage: str,
    is_won: bool | None,
    is_closed: bool | None,
    closed_at: datetime | None,
    value_map: Mapping[str, DealStatus] | None,
    now: datetime,
) -> DealStatus:
    """The status of a deal by its flags, or else by its stage.

    A stage that is not known is open, unless it speaks of an end or the deal has a close date in the past.
    Raises ValueError, about the stage, where the status is not certain.
    """
    known = known_status(stage, value_map)
    if is_won is not None or is_closed is not None:
        return _status_by_flags(stage, known, is_won, is_closed)
    if known:
        return known
    parts = "".join(letter if letter.isalpha() else " " for letter in stage.casefold()).split()
    if any(word in _CLOSING_WORDS for word in chain(parts, [_word_of(stage)])):
        raise ValueError(f"{shown(stage)} seems to close the deal, but is no known stage; {_how_to_map(stage)}")
    if closed_at is not None and closed_at <= now:
        day = closed_at.date()
        raise ValueError(f"{shown(stage)} is no known stage, but the deal closed on {day}; {_how_to_map(stage)}")
    return "open"


def _status_by_flags(stage: str, known: DealStatus | None, is_won: bool | None, is_closed: bool | None) -> DealStatus:
    if is_won and is_closed is False:
        raise ValueError("is contradicted by the flags: is_won is true, but is_closed is false")
    if is_won:
        return "won"
    if is_closed is False:
        return "open"
    if is_won is False and is_closed:
        return "lost"
    if is_closed and known in ("won", "lost"):
        return known
    if is_won is False and known in ("open", "lost"):
        return known
    flag = "is_closed is true" if is_closed else "is_won is false"
    other = "is_won" if is_closed else "is_closed"
    meaning = f"means {known}" if known else "is no known stage"
    raise ValueError(f"{shown(stage)} {meaning} and {flag}: give {other}, too, or {_how_to_map(stage)}")


def _how_to_map(stage: str) -> str:
    return f'say what it means: --map-value stage:"{stage}"=won (or lost, or open), or the field status'


def contradicts(stage: str, status: DealStatus, value_map: Mapping[str, DealStatus] | None = None) -> bool:
    """Whether a stage is known to mean something else than a deal's status."""
    return known_status(stage, value_map) not in (None, status)
