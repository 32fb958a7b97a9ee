"""Every reason code in one place: why a product is offered, and why one is withheld. Public API: stable."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a product is offered."""

    BOUGHT_WITH_OWNED = "bought-with-owned"
    GOES_WITH_BASKET = "goes-with-basket"
    UPGRADE = "upgrade"
    FITS_HISTORY = "fits-history"
    POPULAR = "popular"


REASON_MEANINGS = {
    ReasonCode.BOUGHT_WITH_OWNED: "owned products lead to it or speak most for it; `product_ids` names them",
    ReasonCode.GOES_WITH_BASKET: "products in the basket lead to it or speak most for it; `product_ids` names them",
    ReasonCode.UPGRADE: "a more valuable version of the product that `product_ids` names",
    ReasonCode.FITS_HISTORY: "the account's purchases as a whole speak for it, no single one stands out",
    ReasonCode.POPULAR: "many customers buy it; nothing about this account or basket speaks for it",
}


class WithheldCode(StrEnum):
    """Why a candidate is not offered."""

    EXCLUDED = "excluded"
    FILTERED = "filtered"
    IN_BASKET = "in-basket"
    OWNED = "owned"
    INACTIVE = "inactive"
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


WITHHELD_MEANINGS = {
    WithheldCode.EXCLUDED: "the request excludes it",
    WithheldCode.FILTERED: "the request's filters do not let it pass",
    WithheldCode.IN_BASKET: "it is in the basket already",
    WithheldCode.OWNED: "the account owns it",
    WithheldCode.INACTIVE: "it is no longer sold",
    WithheldCode.RETURNED: "the account returned it recently (`NEXTOFFER_RETURNED_DAYS`, 180)",
    WithheldCode.DEAL_OPEN: "the account has an open deal for it",
    WithheldCode.DEAL_LOST: "the account let a deal for it be lost recently (`NEXTOFFER_DEAL_LOST_DAYS`, 90)",
    WithheldCode.NOT_MERCHANDISE: "it is no merchandise, such as a fee or a gift card",
    WithheldCode.VARIANT_OWNED: "another variant of it, its predecessor or its successor is owned or in the basket",
    WithheldCode.BANNED: "it is banned from being offered with a product that is owned or in the basket",
    WithheldCode.SUBSTITUTE: "it stands in for a product that is owned or in the basket",
    WithheldCode.LOWER_TIER: "a higher tier of its family is owned or in the basket",
    WithheldCode.WITHOUT_MAIN: "it belongs to products of which none is owned or in the basket",
    WithheldCode.OBJECTED: "the account objects to marketing, so that nothing is offered (counts what was asked for)",
}


class Source(StrEnum):
    """Where the first offer of an answer comes from."""

    PERSONALIZED = "personalized"
    BASKET = "basket"
    SEGMENT = "segment"
    POPULAR = "popular"
    NONE = "none"


SOURCE_MEANINGS = {
    Source.PERSONALIZED: "the account's own history",
    Source.BASKET: "the products in the basket",
    Source.SEGMENT: "what similar accounts buy (reserved: not given by this release)",
    Source.POPULAR: "what most customers buy, for want of anything better known",
    Source.NONE: "no offer may be made",
}
