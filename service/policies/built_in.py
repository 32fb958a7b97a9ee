"""The rules of the service itself, listed as policies."""

from typing import Final, NamedTuple

from service.offers.reasons import WITHHELD_MEANINGS, WithheldCode
from service.offers.rules import RULES
from service.readmodel.policies import PolicyType

PREFIX: Final = "built-in."


class BuiltIn(NamedTuple):
    """A rule of the service.

    always_on: why it can't be switched off; None where it can. is_on: whether it is on until somebody changes that.
    """

    name: str
    type: PolicyType
    always_on: str | None = None
    is_on: bool = True


_ASKED: Final = "the request itself asks for it"
_RULES: Final = {
    WithheldCode.OBJECTED: BuiltIn(
        "Objection to marketing", PolicyType.ELIGIBILITY, "an objection to direct marketing must be observed"
    ),
    WithheldCode.EXCLUDED: BuiltIn("Excluded by the request", PolicyType.APPLICABILITY, _ASKED),
    WithheldCode.FILTERED: BuiltIn("Filtered by the request", PolicyType.APPLICABILITY, _ASKED),
    WithheldCode.IN_BASKET: BuiltIn(
        "In the basket", PolicyType.APPLICABILITY, "what is in the basket is being bought already"
    ),
    WithheldCode.OWNED: BuiltIn(
        "Owned", PolicyType.APPLICABILITY, "store a policy of the type repurchase for what may be offered again"
    ),
    WithheldCode.BOUGHT_RECENTLY: BuiltIn(
        "Bought recently",
        PolicyType.APPLICABILITY,
        "policies of the type repurchase say how long it lasts; change them instead",
    ),
    WithheldCode.OWNED_ABOVE: BuiltIn("Owned by a parent", PolicyType.APPLICABILITY, is_on=False),
    WithheldCode.INACTIVE: BuiltIn(
        "No longer sold", PolicyType.ELIGIBILITY, "it can't be bought; activate the product instead"
    ),
    WithheldCode.NOT_AVAILABLE_NOW: BuiltIn(
        "Not available now",
        PolicyType.ELIGIBILITY,
        "it can't be bought now; correct `available_from` or `_until` instead",
    ),
    WithheldCode.SOLD_OUT: BuiltIn("Sold out", PolicyType.APPLICABILITY),
    WithheldCode.RETURNED: BuiltIn("Returned recently", PolicyType.APPLICABILITY),
    WithheldCode.DEAL_OPEN: BuiltIn("Open deal", PolicyType.APPLICABILITY),
    WithheldCode.DEAL_LOST: BuiltIn("Deal lost recently", PolicyType.APPLICABILITY),
    WithheldCode.NOT_MERCHANDISE: BuiltIn(
        "No merchandise", PolicyType.ELIGIBILITY, "fees and the like are no offers; correct `is_merchandise` instead"
    ),
    WithheldCode.BANNED: BuiltIn(
        "Banned relationship", PolicyType.SUITABILITY, "people banned it; change the relationship instead"
    ),
    WithheldCode.VARIANT_OWNED: BuiltIn("Variant owned", PolicyType.APPLICABILITY),
    WithheldCode.SUBSTITUTE: BuiltIn("Substitute", PolicyType.APPLICABILITY),
    WithheldCode.WITHOUT_MAIN: BuiltIn("Accessory without its main product", PolicyType.APPLICABILITY),
    WithheldCode.LOWER_TIER: BuiltIn("Lower tier", PolicyType.APPLICABILITY),
}
BUILT_IN: Final = {f"{PREFIX}{code}": (code, _RULES[code]) for code, _ in RULES}
"""By identifier, in the order in which a candidate's reason is looked for."""


def description_of(policy_id: str) -> str:
    """Return what a built-in policy withholds."""
    return f"Withholds a product where {WITHHELD_MEANINGS[BUILT_IN[policy_id][0]]}."
