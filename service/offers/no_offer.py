"""Why an answer has no offer, and when to ask again."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypedDict

from service.offers.facts import Facts
from service.offers.reasons import WithheldCode


class NoOfferCode(StrEnum):
    """Why nothing is offered."""

    OBJECTED = "objected-to-marketing"
    NOTHING_WORTH_OFFERING = "nothing-worth-offering"
    ALL_WITHHELD = "all-withheld"
    NO_CANDIDATES = "no-candidates"


NO_OFFER_MEANINGS: Final = {
    NoOfferCode.OBJECTED: "The account objects to direct marketing.",
    NoOfferCode.NOTHING_WORTH_OFFERING: "Every product that may be offered is below the floor of propensity or of "
    "expected value.",
    NoOfferCode.ALL_WITHHELD: "Rules or policies withhold every candidate; `withheld` counts them.",
    NoOfferCode.NO_CANDIDATES: "There is no product to offer.",
}


class NoOffer(TypedDict):
    """Why nothing is offered, as it goes into the answer."""

    code: NoOfferCode
    text: str
    ask_again_at: datetime | None


def explain_no_offer(withheld: Mapping[WithheldCode, int], facts: Facts, *, is_objecting: bool) -> NoOffer:
    """Say why an account has no offer. withheld: how many candidates each rule withholds."""
    if is_objecting:
        code = NoOfferCode.OBJECTED
    elif WithheldCode.BELOW_FLOOR in withheld:
        code = NoOfferCode.NOTHING_WORTH_OFFERING
    else:
        code = NoOfferCode.ALL_WITHHELD if withheld else NoOfferCode.NO_CANDIDATES
    unavailable = facts.unavailable if WithheldCode.NOT_AVAILABLE_NOW in withheld else None
    return {"code": code, "text": NO_OFFER_MEANINGS[code], "ask_again_at": unavailable.ends if unavailable else None}
