"""The catalogue as it is now: the artifact's products and relationships, and what changed since."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductIndex, ProductInfo
from service.readmodel.relationship_overlay import CuratedRelationship
from service.readmodel.relationships import RelationshipIndex


@dataclass(frozen=True)
class CatalogueView:
    """Products and their relationships, both immutable. A change of the catalogue puts another view in its place."""

    products: ProductIndex
    relationships: RelationshipIndex

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(ProductIndex(state.content), RelationshipIndex.from_content(state.content))

    def with_products(self, infos: Mapping[str, ProductInfo]) -> "CatalogueView":
        """Return the view with other product descriptions. Products that the artifact does not know are ignored."""
        row_of = self.products.row_of
        rows = {row: info for product_id, info in infos.items() if (row := row_of(product_id)) is not None}
        return replace(self, products=self.products.with_changes(rows)) if rows else self

    def with_curated(self, curated: Mapping[str, Mapping[str, CuratedRelationship]]) -> "CatalogueView":
        """Return the view with all curated relationships of some sources replaced, by source and target."""
        row_of = self.products.row_of
        rows: dict[int, dict[int, CuratedRelationship]] = {
            source: {row: decided for target, decided in by_target.items() if (row := row_of(target)) is not None}
            for source_id, by_target in curated.items()
            if (source := row_of(source_id)) is not None
        }
        return replace(self, relationships=self.relationships.with_curated(rows)) if rows else self
