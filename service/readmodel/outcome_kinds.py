"""What may become of an offer."""

from enum import StrEnum
from typing import Final


class OutcomeKind(StrEnum):
    """What became of an offer."""

    SENT = "sent"
    IMPRESSION = "impression"
    CLICK = "click"
    ACCEPT = "accept"
    REJECT = "reject"
    IGNORE = "ignore"
    PURCHASE = "purchase"


KIND_MEANINGS: Final = {
    OutcomeKind.SENT: "it was sent to the account",
    OutcomeKind.IMPRESSION: "the account saw it",
    OutcomeKind.CLICK: "the account looked at it closer",
    OutcomeKind.ACCEPT: "the account wants it",
    OutcomeKind.REJECT: "the account does not want it; `reason` says why",
    OutcomeKind.IGNORE: "the account did not react",
    OutcomeKind.PURCHASE: "the account bought it",
}


class RejectReason(StrEnum):
    """Why an account does not want an offer."""

    NOT_NOW = "not-now"
    TOO_EXPENSIVE = "too-expensive"
    HAS_ANOTHER_SUPPLIER = "has-another-supplier"
    NOT_RELEVANT = "not-relevant"
    OWN_WORDS = "own-words"
