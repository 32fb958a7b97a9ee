"""Checks that products do not replace each other, or are variants of each other, round in a circle."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from service.catalogue.schemas import ProductIn
from service.catalogue.tables import Product
from service.rows.chunks import RowError
from service.rows.import_run import ImportRun
from service.rows.record_import import Resolve, resolve_as_given
from service.rows.validation import RowErrors
from service.storage.bulk import in_chunks

LINKS: Final = ("parent_product_id", "replaces")
Links = dict[str, str | None]
"""What a product names in each field of ``LINKS``."""
Lookup = Callable[[Iterable[str]], dict[str, Links]]
"""Returns the stored links of those products that are stored."""


class LinkCheck:
    """Judges rows in their order: each with those before it already in force."""

    def __init__(self, lookup: Lookup = lambda _: {}) -> None:
        self._lookup = lookup
        self._links: dict[str, Links] = {}

    def refuse_circles(self, rows: Mapping[int, ProductIn]) -> RowErrors:
        """Return the errors of rows that would close a circle, by index."""
        self._load({row.product_id for row in rows.values()} | {str(link) for _, link in _links_of(rows.values())})
        errors: RowErrors = {}
        for index, row in rows.items():
            given: Links = {name: getattr(row, name) for name in LINKS if name in row.model_fields_set}
            faults = tuple(fault for name, link in given.items() if (fault := self._fault(row.product_id, name, link)))
            if faults:
                errors[index] = faults
            else:
                self._links[row.product_id] = {**self._links.get(row.product_id, {}), **given}
        return errors

    def _fault(self, product_id: str, name: str, link: str | None) -> RowError | None:
        path = [product_id]
        while link is not None and link not in path:
            path.append(link)
            link = self._links.get(link, {}).get(name)
        # A circle that the product is not part of was stored before, and is not this row's fault.
        if link != product_id:
            return None
        circle = " → ".join([*path, product_id])
        what = "is the product itself" if len(path) == 1 else f"leads round in a circle: {circle}"
        return RowError(name, f"{what}; leave it out, or correct the products that it leads to first")

    def _load(self, product_ids: set[str]) -> None:
        """Read the products, and what their links lead to."""
        while missing := product_ids - self._links.keys():
            stored = self._lookup(missing)
            self._links |= {product_id: stored.get(product_id, {}) for product_id in missing}
            product_ids = {link for links in stored.values() for link in links.values() if link is not None}


def stored_links(connection: Connection) -> Lookup:
    """Look links up in the table of products."""
    query = select(Product.product_id, Product.parent_product_id, Product.replaces)

    def look_up(product_ids: Iterable[str]) -> dict[str, Links]:
        return {
            product_id: {"parent_product_id": parent, "replaces": replaced}
            for ids in in_chunks(sorted(product_ids))
            for product_id, parent, replaced in connection.execute(query.where(Product.product_id.in_(ids)))
        }

    return look_up


def resolve_products(engine: Engine, import_run: ImportRun) -> Resolve:
    """Take the rows of a file as they are given, but for those that close a circle."""

    def look_up(product_ids: Iterable[str]) -> dict[str, Links]:
        with engine.connect() as connection:
            return stored_links(connection)(product_ids)

    return checked(LinkCheck(look_up), resolve_as_given(import_run))


def checked(check: LinkCheck, resolve: Resolve) -> Resolve:
    """Refuse rows that close a circle, and resolve the others."""

    def resolve_checked(rows: Mapping[int, Any]) -> tuple[dict[int, dict[str, Any]], RowErrors]:
        refused = check.refuse_circles(rows)
        records, unresolved = resolve({index: row for index, row in rows.items() if index not in refused})
        return records, refused | unresolved

    return resolve_checked


def _links_of(rows: Iterable[ProductIn]) -> list[tuple[str, str]]:
    return [(name, link) for row in rows for name in LINKS if (link := getattr(row, name)) is not None]
