"""The rules that withhold a candidate, in order. Each is asked before the list is cut, so that ``limit`` is filled."""

from collections.abc import Callable

from service.offers.facts import Facts
from service.offers.reasons import WithheldCode
from service.offers.shelf import ProductRow

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


RULES: tuple[Rule, ...] = (was_excluded, is_in_basket, is_owned, is_inactive)


def first_objection(product: ProductRow, facts: Facts) -> WithheldCode | None:
    """Return the first rule's objection, or None if the product may be offered."""
    for rule in RULES:
        objection = rule(product, facts)
        if objection is not None:
            return objection
    return None
