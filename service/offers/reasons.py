"""Every reason code in one place: why a product is offered, and why one is withheld. Public API: stable."""

from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    """Why a product is offered."""

    BOUGHT_WITH_OWNED = "bought-with-owned"
    GOES_WITH_OWNED = "goes-with-owned"
    GOES_WITH_BASKET = "goes-with-basket"
    UPGRADE = "upgrade"
    FITS_HISTORY = "fits-history"
    FITS_BASKET = "fits-basket"
    BOUGHT_BEFORE = "bought-before"
    POPULAR = "popular"
    IN_CATALOGUE = "in-catalogue"


REASON_MEANINGS = {
    ReasonCode.BOUGHT_WITH_OWNED: "at least 3 customers have it together with the owned product, or each of the owned "
    "products, that `product_ids` names; the text says how many",
    ReasonCode.GOES_WITH_OWNED: "an owned product leads to it, as people recommend or as their categories are bought",
    ReasonCode.GOES_WITH_BASKET: "products in the basket lead to it, or at least 3 customers bought each together "
    "with it; the text says how many",
    ReasonCode.UPGRADE: "a more valuable version of the product that `product_ids` names",
    ReasonCode.FITS_HISTORY: "the model puts it high for what the account has bought; `product_ids` names what "
    "contributed most, if anything stands out, and no number of customers is claimed",
    ReasonCode.FITS_BASKET: "the same for the products in the basket",
    ReasonCode.BOUGHT_BEFORE: "the account bought this very product before and may buy it again; the text says when",
    ReasonCode.POPULAR: "at least 3 customers bought it, and little else speaks for it; the text says how many",
    ReasonCode.IN_CATALOGUE: "it is sold; fewer than 3 customers bought it, and nothing else speaks for it",
}


class WithheldCode(StrEnum):
    """Why a candidate is not offered."""

    EXCLUDED = "excluded"
    FILTERED = "filtered"
    IN_BASKET = "in-basket"
    OWNED = "owned"
    OWNED_ABOVE = "owned-by-parent"
    BOUGHT_RECENTLY = "bought-recently"
    INACTIVE = "inactive"
    NOT_AVAILABLE_NOW = "not-available-now"
    SOLD_OUT = "sold-out"
    RETURNED = "returned"
    DEAL_OPEN = "deal-open"
    DEAL_LOST = "deal-lost"
    NOT_MERCHANDISE = "not-merchandise"
    VARIANT_OWNED = "variant-owned"
    BANNED = "banned"
    SUBSTITUTE = "substitute"
    LOWER_TIER = "lower-tier"
    WITHOUT_MAIN = "accessory-without-main"
    OBJECTED = "objected-to-marketing"
    BELOW_FLOOR = "below-floor"
    SIMILAR = "similar-offered"
    POLICY_ELIGIBILITY = "policy-eligibility"
    POLICY_APPLICABILITY = "policy-applicability"
    POLICY_SUITABILITY = "policy-suitability"
    CONTACT_LIMIT = "contact-limit"
    PAUSED = "paused"
    CAP_REACHED = "cap-reached"


WITHHELD_MEANINGS = {
    WithheldCode.EXCLUDED: "the request excludes it",
    WithheldCode.FILTERED: "the request's filters do not let it pass",
    WithheldCode.IN_BASKET: "it is in the basket already",
    WithheldCode.OWNED: "the account owns it, and no policy of the type `repurchase` lets it be offered again",
    WithheldCode.OWNED_ABOVE: "an account above it owns it (`parent_account_id`), which counts where the policy "
    "`built-in.owned-by-parent` is switched on",
    WithheldCode.BOUGHT_RECENTLY: "the account owns it, and a policy of the type `repurchase` lets it be offered again "
    "later: the days from its last purchase have not passed yet",
    WithheldCode.INACTIVE: "it is no longer sold",
    WithheldCode.NOT_AVAILABLE_NOW: "it is before its `available_from`, or not before its `available_until`",
    WithheldCode.SOLD_OUT: "its `stock` is 0 or less; where substitutes of it are known, they are candidates",
    WithheldCode.RETURNED: "the account returned it, or a variant of it, recently (`NEXTOFFER_RETURNED_DAYS`, 180)",
    WithheldCode.DEAL_OPEN: "the account has an open deal for it or a variant of it",
    WithheldCode.DEAL_LOST: "the account let a deal for it, or a variant of it, be lost recently "
    "(`NEXTOFFER_DEAL_LOST_DAYS`, 90)",
    WithheldCode.NOT_MERCHANDISE: "it is no merchandise, such as a fee or a gift card",
    WithheldCode.VARIANT_OWNED: "another variant of it, its predecessor or its successor is owned or in the basket",
    WithheldCode.BANNED: "it is banned from being offered with a product that is owned or in the basket",
    WithheldCode.SUBSTITUTE: "it stands in for a product that is owned or in the basket",
    WithheldCode.LOWER_TIER: "a higher tier of its family is owned or in the basket",
    WithheldCode.WITHOUT_MAIN: "it belongs to products of which none is owned or in the basket",
    WithheldCode.BELOW_FLOOR: "its propensity or its expected value is below the floor (`NEXTOFFER_MIN_PROPENSITY`, "
    "`NEXTOFFER_MIN_EXPECTED_VALUE_MINOR`)",
    WithheldCode.SIMILAR: "a variant of it or a product of its family is offered, or as many of its category as one "
    "list may hold: two, or a third of a longer one. It comes back at the end where few others are left",
    WithheldCode.OBJECTED: "the account objects to marketing, so that nothing is offered (counts what was asked for)",
    WithheldCode.POLICY_ELIGIBILITY: "a policy says who may have it, which the account may not, or is not known to; "
    "`withheld_by_policy` names the policy",
    WithheldCode.POLICY_APPLICABILITY: "a policy says when it is relevant, which it is not now, or is not known to be",
    WithheldCode.POLICY_SUITABILITY: "a policy says for whom it is good, which the account is not, or is not known "
    "to be",
    WithheldCode.CONTACT_LIMIT: "the account was offered it, or anything, as often as a policy of type `limit` allows",
    WithheldCode.PAUSED: "the account's answers to earlier offers paused it, by a policy of type `suppression`",
    WithheldCode.CAP_REACHED: "it was accepted or reserved as often as a policy of type `cap` allows",
}
POLICY_CODES: Final = {
    "eligibility": WithheldCode.POLICY_ELIGIBILITY,
    "applicability": WithheldCode.POLICY_APPLICABILITY,
    "suitability": WithheldCode.POLICY_SUITABILITY,
    "limit": WithheldCode.CONTACT_LIMIT,
    "suppression": WithheldCode.PAUSED,
    "cap": WithheldCode.CAP_REACHED,
}
"""By the type of the policy that withholds a candidate."""


class Source(StrEnum):
    """Where the first offer of an answer comes from."""

    PERSONALIZED = "personalized"
    BASKET = "basket"
    REPEAT = "repeat"
    SEGMENT = "segment"
    POPULAR = "popular"
    NONE = "none"


SOURCE_MEANINGS = {
    Source.PERSONALIZED: "the account's own history",
    Source.BASKET: "the products in the basket",
    Source.REPEAT: "the account bought the product before, and may be offered it again",
    Source.SEGMENT: "what similar accounts buy (reserved: not given by this release)",
    Source.POPULAR: "what most customers buy, for want of anything better known",
    Source.NONE: "no offer may be made",
}
