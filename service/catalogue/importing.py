"""Import products from files."""

from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from service.catalogue.links_to_products import resolve_products
from service.catalogue.live import PRODUCTS_CHANGED
from service.catalogue.queries import (
    active_products,
    described_active_products,
    inactive_products,
    switch_off,
    switch_on,
    upsert_products,
)
from service.catalogue.schemas import ProductIn
from service.rows.complete_files import remove_missing
from service.rows.import_kind import ImportKind
from service.rows.import_memory import PresentIds
from service.rows.import_run import ImportRun, import_transaction
from service.rows.record_import import RecordImport
from service.storage.changes import ChangeLog
from service.storage.database import read_connection
from service.storage.turns import hold_off_erasures

_GONE: Final = "products {were} switched off: the files lack them"
_WOULD_BE: Final = "active products would be switched off"


def _finish_products(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Where files hold the whole catalogue, switch off the other products, and on again those that are back."""
    if not import_run.options.is_complete:
        _warn_of_missing(engine, import_run)
        return
    remove_missing(engine, import_run, now, PRODUCTS_CHANGED, active_products, switch_off, _GONE, _WOULD_BE)
    if "active" not in import_run.columns:
        _switch_on_present(engine, import_run, now)


def _warn_of_missing(engine: Engine, import_run: ImportRun) -> None:
    """Say how many products stay active that the files lack: of a whole catalogue, they are gone."""
    present = import_run.memory.part(PresentIds)
    if present.n_unknown:
        return
    with read_connection(engine) as connection:
        missing = present.missing(sorted(connection.scalars(described_active_products())))
    if not missing:
        return
    were = "products are" if len(missing) > 1 else "product is"
    import_run.summary.warnings.append(
        f"{len(missing):,} active {were} not in the imported files, such as {missing[0]}, and can still be offered. If "
        "the files hold the whole catalogue, import them with --complete, which would switch off what they lack."
    )


def _switch_on_present(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    present, options = import_run.memory.part(PresentIds), import_run.options
    with import_transaction(engine, options) as connection:
        hold_off_erasures(connection)
        inactive = list(connection.scalars(inactive_products()))
        missing = set(present.missing(inactive))
        back = [product_id for product_id in inactive if product_id not in missing]
        switch_on(connection, back, now)
        changes = ChangeLog()
        changes.touch(PRODUCTS_CHANGED, back)
        changes.write(connection, now)
    text = f"products {options.were} switched on again: the files hold them"
    import_run.summary.counted_notes.add(text, len(back), "".join(back[:1]))


PRODUCT_RECORDS: Final = RecordImport(
    row=ProductIn, key="product_id", upsert=upsert_products, resolver=resolve_products
)
PRODUCT_IMPORT: Final = ImportKind(
    name="products",
    help="""Import products: product_id, name, line, category, family, tier, price, currency, margin, active,
    is_merchandise (no: a fee, shipping, a gift card), parent_product_id (of variants), replaces (of successors),
    available_from, available_until, stock (0: sold out) and attributes.

    Money is in major units, or in minor ones as price_minor and margin_minor.

    A column that is in the file overwrites what is stored; one that is not leaves it. A file goes in whole, or not at
    all. With --complete the files hold the whole catalogue: products that they lack are switched off (is_active is
    false), those that only orders name, too; the others are switched on, unless a column says which are active.
    """,
    fields=tuple(ProductIn.model_fields),
    mandatory=("product_id",),
    import_rows=PRODUCT_RECORDS.import_rows,
    # As the training view names it: what is exported from there can be imported.
    aliases={"is_active": "active"},
    kinds={
        **dict.fromkeys(("tier", "price", "price_minor", "margin", "margin_minor", "stock"), "number"),
        **dict.fromkeys(("available_from", "available_until"), "date"),
    },
    takes_default_currency=True,
    takes_complete=True,
    finish=_finish_products,
)
