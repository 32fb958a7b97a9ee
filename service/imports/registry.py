"""Every kind of import. Adding one: an ``importing.py`` in its domain, and a line here."""

from typing import Final

from service.accounts.importing import ACCOUNT_IMPORT
from service.catalogue.importing import PRODUCT_IMPORT
from service.catalogue.relationship_importing import RELATIONSHIP_IMPORT
from service.deals.importing import DEAL_IMPORT
from service.exchange_rates.importing import EXCHANGE_RATE_IMPORT
from service.orders.importing import ORDER_IMPORT
from service.rows.import_kind import ImportKind

IMPORT_KINDS: Final[dict[str, ImportKind]] = {
    kind.name: kind
    for kind in (
        ACCOUNT_IMPORT,
        PRODUCT_IMPORT,
        ORDER_IMPORT,
        RELATIONSHIP_IMPORT,
        DEAL_IMPORT,
        EXCHANGE_RATE_IMPORT,
    )
}
