"""The rules that withhold a candidate, in order. Each is asked before the list is cut, so that ``limit`` is filled."""

from collections.abc import Callable

from service.offers.facts import Facts
from service.offers.reasons import WithheldCode
from service.readmodel.product_index import ProductRow

Rule = Callable[[ProductRow, Facts], WithheldCode | None]


def was_excluded(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what the request excludes."""
    return WithheldCode.EXCLUDED if product in facts.excluded else None


def is_in_basket(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what is being bought already."""
    return WithheldCode.IN_BASKET if product in facts.basket else None


def is_owned(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what the account owns: an offer is something new."""
    return WithheldCode.OWNED if len(facts.owned) and facts.owns(product) else None


def is_inactive(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what is no longer sold."""
    return None if facts.shelf.cards[product].is_active else WithheldCode.INACTIVE


def is_banned(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what people banned from what is owned or being bought."""
    return WithheldCode.BANNED if facts.has_any(facts.shelf.links.banned_from.get(product, ())) else None


def is_substitute(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what stands in for something that is owned or being bought."""
    return WithheldCode.SUBSTITUTE if facts.has_any(facts.shelf.links.replaced_by(product)) else None


def is_without_main(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold an accessory unless a product that it belongs to is owned or being bought."""
    mains = facts.shelf.links.mains_of(product)
    return WithheldCode.WITHOUT_MAIN if mains and not facts.has_any(mains) else None


def is_lower_tier(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Withhold what is below something of its family that is owned or being bought."""
    return WithheldCode.LOWER_TIER if facts.has_any(facts.shelf.above(product)) else None


RULES: tuple[Rule, ...] = (was_excluded, is_in_basket, is_owned, is_inactive)
RULES_OF_RELATIONSHIPS: tuple[Rule, ...] = (is_banned, is_substitute, is_without_main)
"""Asked only of products that have such relationships."""


def first_objection(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Return the first rule's objection, or None if the product may be offered."""
    for rule in RULES:
        objection = rule(product, facts)
        if objection is not None:
            return objection
    shelf = facts.shelf
    # Over the bare memory: asked for a single flag, NumPy takes longer than all rules above.
    if shelf.links.is_guarded.data[product]:
        for rule in RULES_OF_RELATIONSHIPS:
            objection = rule(product, facts)
            if objection is not None:
                return objection
    return is_lower_tier(product, facts) if shelf.has_tier.data[product] else None
