"""What a caller asks for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

NO_CONTEXT: Final[Mapping[str, str | bool | int | float | None]] = MappingProxyType({})


class OfferFilter(NamedTuple):
    """What offers are restricted to; an empty field restricts nothing.

    attributes: by name, the allowed values as texts; None allows products without a value.
    relations:  of which each offer has one to something that is owned or in the basket.
    is_from_query: lines and categories come from a query, in which one value may be a list separated by commas.
    """

    lines: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    price_max_minor: int | None = None
    attributes: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    relations: tuple[str, ...] = ()
    is_from_query: bool = False

    def of_products(self) -> "OfferFilter":
        """Return the part that is the same for every account."""
        return self._replace(relations=()) if self.relations else self


class OfferRequest(NamedTuple):
    """One request for offers. A batch asks the same for many accounts: see ``gathering.gather``.

    fields: names of product attributes that each offer shows.
    among: the only candidates; all of them are ranked or withheld, whatever the limit.
    explains_all: what became of every candidate is part of the answer.
    context: what else is known of the request; policies read it.
    channel: by which the offers will reach the account; None where it is not known.
    includes_owned: whether what the account owns is ranked, too, unless a policy calls it durable.
    """

    account_id: str | None
    limit: int
    basket: Sequence[str] = ()
    exclude: Sequence[str] = ()
    is_dry_run: bool = False
    placement: str | None = None
    filter: OfferFilter | None = None
    fields: tuple[str, ...] = ()
    context: Mapping[str, str | bool | int | float | None] = NO_CONTEXT
    among: Sequence[str] = ()
    explains_all: bool = False
    channel: str | None = None
    includes_owned: bool = False
