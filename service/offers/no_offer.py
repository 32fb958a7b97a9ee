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
    LIMIT_REACHED = "limit-reached"
    NOTHING_WORTH_OFFERING = "nothing-worth-offering"
    ALL_WITHHELD = "all-withheld"
    NO_CANDIDATES = "no-candidates"


NO_OFFER_MEANINGS: Final = {
    NoOfferCode.OBJECTED: "The account objects to direct marketing.",
    NoOfferCode.LIMIT_REACHED: "Policies of type `limit`, `suppression` or `cap` withhold what might be offered; from "
    "`ask_again_at` on, they allow an offer again.",
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


def explain_no_offer(
    withheld: Mapping[WithheldCode, int],
    facts: Facts,
    account: int,
    *,
    is_objecting: bool,
    released_at: datetime | None = None,
) -> NoOffer:
    """Say why an account has no offer. withheld: how many candidates each rule withholds. account: its place.

    released_at: when limits cease to withhold the first candidate; None where they withhold none.
    """
    if is_objecting:
        code = NoOfferCode.OBJECTED
    elif released_at is not None:
        code = NoOfferCode.LIMIT_REACHED
    elif WithheldCode.BELOW_FLOOR in withheld:
        code = NoOfferCode.NOTHING_WORTH_OFFERING
    else:
        code = NoOfferCode.ALL_WITHHELD if withheld else NoOfferCode.NO_CANDIDATES
    times = [None if is_objecting else released_at]
    if facts.unavailable is not None and WithheldCode.NOT_AVAILABLE_NOW in withheld:
        times.append(facts.unavailable.ends)
    if facts.repeats is not None and WithheldCode.BOUGHT_RECENTLY in withheld:
        times.append(facts.repeats.next_due(account))
    ask_again_at = min((time for time in times if time is not None), default=None)
    return {"code": code, "text": NO_OFFER_MEANINGS[code], "ask_again_at": ask_again_at}
