"""The catalogue at one moment."""

from typing import NamedTuple

from service.readmodel.product_index import ProductIndex
from service.readmodel.relationships import RelationshipIndex


class CatalogueView(NamedTuple):
    """Products and relationships as they were when the view was taken: both are immutable."""

    products: ProductIndex
    relationships: RelationshipIndex
