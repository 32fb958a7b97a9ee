"""The catalogue as it is now: the artifact's products and relationships, and what changed since."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from service.readmodel.live_state import LiveState
from service.readmodel.pair_evidence import EvidenceIndex
from service.readmodel.product_attributes import ProductAttributes
from service.readmodel.product_index import ProductIndex, ProductInfo
from service.readmodel.product_values import ProductValues, measure_values
from service.readmodel.relationship_overlay import CuratedRelationship
from service.readmodel.relationships import RelationshipIndex


@dataclass(frozen=True)
class CatalogueView:
    """Products, their relationships, attributes and the evidence behind them, all immutable.

    A change of the catalogue puts another view in its place.

    cache: what is worked out of this view when it is first needed, such as which products pass a filter.
    """

    products: ProductIndex
    relationships: RelationshipIndex
    attributes: ProductAttributes
    evidence: EvidenceIndex
    cache: dict[Any, Any] = field(init=False, default_factory=dict, compare=False, repr=False)
    _values: dict[tuple[float, float], ProductValues] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        content = state.content
        products = ProductIndex(content)
        no_attributes = ProductAttributes(len(products.is_active), {})
        return cls(products, RelationshipIndex.from_content(content), no_attributes, EvidenceIndex(content))

    def values(self, margin_rate: float, max_ratio: float) -> ProductValues:
        """Return what each product is worth; see ``measure_values``. Worked out once for each view."""
        known = self._values.get((margin_rate, max_ratio))
        if known is None:
            known = self._values[margin_rate, max_ratio] = measure_values(self.products, margin_rate, max_ratio)
        return known

    def prepare(self) -> None:
        """Work out what requests need, so that none of them has to."""
        _ = (self.products.lines, self.products.categories, self.products.currencies)
        self.relationships.prepare()

    def with_products(self, infos: Mapping[str, ProductInfo]) -> "CatalogueView":
        """Return the view with other product descriptions.

        Of products that the artifact does not know, only that they are variants of others matters.
        """
        row_of = self.products.row_of
        rows = {row: info for product_id, info in infos.items() if (row := row_of(product_id)) is not None}
        others = [info for product_id, info in infos.items() if row_of(product_id) is None]
        return replace(self, products=self.products.with_changes(rows, others)) if infos else self

    def with_all_attributes(self, stored: Mapping[str, bytes]) -> "CatalogueView":
        """Return the view with the attributes of all products, as JSON; those without any are left out."""
        return replace(self, attributes=ProductAttributes(len(self.products.is_active), self._by_row(stored)))

    def with_attributes(self, stored: Mapping[str, bytes]) -> "CatalogueView":
        """Return the view with other attributes of some products, as JSON; those without any have an empty one."""
        rows = self._by_row(stored)
        return replace(self, attributes=self.attributes.with_changes(rows)) if rows else self

    def _by_row(self, stored: Mapping[str, bytes]) -> dict[int, bytes]:
        row_of = self.products.row_of
        return {row: text for product_id, text in stored.items() if (row := row_of(product_id)) is not None}

    def with_curated(self, curated: Mapping[str, Mapping[str, CuratedRelationship]]) -> "CatalogueView":
        """Return the view with all curated relationships of some sources replaced, by source and target."""
        row_of = self.products.row_of
        rows: dict[int, dict[int, CuratedRelationship]] = {
            source: {row: decided for target, decided in by_target.items() if (row := row_of(target)) is not None}
            for source_id, by_target in curated.items()
            if (source := row_of(source_id)) is not None
        }
        return replace(self, relationships=self.relationships.with_curated(rows)) if rows else self
