"""Contact policies: how often accounts may be offered something."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from service.readmodel.contact_windows import ContactWindow
from service.readmodel.in_force import InForce
from service.readmodel.policies import PolicyScope


class Per(StrEnum):
    """What contacts of an account are counted together."""

    ACCOUNT = "account"
    LINE = "line"
    CATEGORY = "category"
    PRODUCT = "product"


class ContactProduct(NamedTuple):
    """A product that an account was offered, with the line and the category that it had then."""

    product_id: str
    line: str
    category: str


class Contact(NamedTuple):
    """One decision that offered an account something. channel: None where the request named none."""

    decided_at: datetime
    decision_id: str
    channel: str | None
    products: Sequence[ContactProduct]


class Counted(StrEnum):
    """What a limit counts."""

    DECIDED = "decided"
    SENT = "sent"
    SHOWN = "shown"


class Unit(StrEnum):
    """Whose contacts are counted together."""

    ACCOUNT = "account"
    GROUP = "group"


@dataclass(frozen=True)
class ContactLimit(InForce):
    """At most so many contacts within a window; then the products concerned are withheld until one ceases to count.

    channels: whose contacts count; None for all. A contact of no known channel counts for each.
    scope:    the products whose contacts count, and which are withheld; None for all.
    counts:   decisions, or what was reported as sent or shown.
    unit:     each account for itself; or the topmost account above it with all its subsidiaries.
    valid_from, valid_until: when it is in force. Contacts before that count, too.
    """

    id: str
    at_most: int
    window: ContactWindow
    per: Per = Per.ACCOUNT
    channels: frozenset[str] | None = None
    scope: PolicyScope | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    counts: Counted = Counted.DECIDED
    unit: Unit = Unit.ACCOUNT

    def concerns(self, channel: str | None) -> bool:
        """Tell whether contacts by a channel count: by one that is not known they do."""
        return self.channels is None or channel is None or channel in self.channels

    def keys_of(self, products: Iterable[ContactProduct]) -> set[str]:
        """Return what a contact with some products counts for: names of products, categories or lines.

        The empty name stands for the whole account. What has no category, or no line, counts for none.
        """
        keys = (key_of(self.per, product) for product in products if covers(self.scope, product))
        return {key for key in keys if key is not None}


WHOLE_ACCOUNT = ""
"""The key of what is counted for the account as a whole."""


def key_of(per: Per, product: ContactProduct) -> str | None:
    """Return what a product is counted under: its own name, or that of its line or category; None without one."""
    match per:
        case Per.PRODUCT:
            return product.product_id
        case Per.CATEGORY:
            return product.category or None
        case Per.LINE:
            return product.line or None
    return WHOLE_ACCOUNT


def covers(scope: PolicyScope | None, product: ContactProduct) -> bool:
    """Tell whether a product was in a scope."""
    if scope is None:
        return True
    names = {"products": product.product_id, "lines": product.line, "categories": product.category}
    return names[scope.kind] in getattr(scope, scope.kind)
