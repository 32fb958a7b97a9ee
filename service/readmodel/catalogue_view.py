"""The catalogue as it is now: the artifact's products and relationships, and what changed since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductIndex, ProductInfo, ProductRow
from service.readmodel.relationships import CuratedRelationship, RelationshipIndex


@dataclass(frozen=True)
class CatalogueView:
    """Products and their relationships. A change of the catalogue puts another view in its place."""

    products: ProductIndex

    @property
    def relationships(self) -> RelationshipIndex:
        """How products lead to each other."""
        return self.products.links

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(ProductIndex(state.content))

    def with_products(self, infos: Mapping[str, ProductInfo]) -> "CatalogueView":
        """Return the view with other product descriptions. Products that the artifact does not know are ignored."""
        for product_id, info in infos.items():
            row = self.products.row_of(product_id)
            if row is not None:
                self.products.replace_info(ProductRow(row), info)
        return CatalogueView(self.products)

    def with_curated(self, curated: Mapping[str, Mapping[str, CuratedRelationship]]) -> "CatalogueView":
        """Return the view with all curated relationships of some sources replaced, by source and target."""
        row_of = self.products.row_of
        rows: dict[int, dict[int, CuratedRelationship]] = {
            source: {
                row: relationship for target, relationship in by_target.items() if (row := row_of(target)) is not None
            }
            for source_id, by_target in curated.items()
            if (source := row_of(source_id)) is not None
        }
        if rows:
            self.products.links = self.products.links.with_curated(rows)
        return CatalogueView(self.products)
