"""What requests with a key that anybody can read may name of products."""

from collections.abc import Collection, Iterator

from service.auth.errors import FieldNotAllowed
from service.offers.explanation import ATTRIBUTE_PREFIX, OWN_FIELDS
from service.offers.request import OfferRequest

EVERYTHING = "*"


def refuse_private_fields(wanted: OfferRequest, allowed: Collection[str]) -> None:
    """Raise FieldNotAllowed if a request shows, or filters by, what is not public.

    A filter is refused, too: whether a product is offered under it tells the product's value.
    """
    if EVERYTHING in allowed:
        return
    for place, name, spellings in _named(wanted):
        if not spellings & set(allowed):
            raise FieldNotAllowed(place, name, sorted(allowed))


def _named(wanted: OfferRequest) -> Iterator[tuple[str, str, set[str]]]:
    """Yield each name with its place and the entries of the setting that allow it."""
    for name in wanted.fields:
        yield "fields", name, {name} if name in OWN_FIELDS else _spellings(name.removeprefix(ATTRIBUTE_PREFIX))
    for name, _ in wanted.filter.attributes if wanted.filter else ():
        yield "attributes", name, _spellings(name)


def _spellings(attribute: str) -> set[str]:
    """How the setting may name an attribute: by its full name alone where a field of products has the short one."""
    full = ATTRIBUTE_PREFIX + attribute
    return {full} if attribute in OWN_FIELDS else {full, attribute}
