"""Import products from files."""

from typing import Final

from service.catalogue.links_to_products import resolve_products
from service.catalogue.queries import upsert_products
from service.catalogue.schemas import ProductIn
from service.rows.import_kind import ImportKind
from service.rows.record_import import RecordImport

PRODUCT_RECORDS: Final = RecordImport(
    row=ProductIn, key="product_id", upsert=upsert_products, resolver=resolve_products
)
PRODUCT_IMPORT: Final = ImportKind(
    name="products",
    help="""Import products: product_id, name, line, category, family, tier, price, currency, margin, active,
    is_merchandise (no: a fee, shipping, a gift card), parent_product_id (of variants), replaces (of successors) and
    attributes.

    Money is in major units, or in minor ones as price_minor and margin_minor.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all.
    """,
    fields=tuple(ProductIn.model_fields),
    mandatory=("product_id",),
    import_rows=PRODUCT_RECORDS.import_rows,
    # As the training view names it: what is exported from there can be imported.
    aliases={"is_active": "active"},
    kinds=dict.fromkeys(("tier", "price", "price_minor", "margin", "margin_minor"), "number"),
    takes_default_currency=True,
)
