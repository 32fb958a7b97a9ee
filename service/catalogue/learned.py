"""The relationships of the artifact in use, by the identifiers of products."""

from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.relationship_overlay import LearnedRelationship


def learned_from(view: CatalogueView | None, source_id: str) -> dict[str, LearnedRelationship]:
    """Return what was learned of a source product by target; empty without an artifact.

    Learned upgrades that give way to curated ones are left out: see ``RelationshipIndex.dropped``.
    """
    source = view.products.row_of(source_id) if view else None
    if view is None or source is None:
        return {}
    learned, dropped = view.relationships.learned, view.relationships.dropped.get(source, ())
    return {
        learned.ids[target]: relationship
        for target, relationship in learned.targets_of(source).items()
        if target not in dropped
    }


def learned_between(view: CatalogueView | None, source_id: str, target_id: str) -> LearnedRelationship | None:
    """Return what was learned of one pair, whether it gives way or not."""
    if view is None:
        return None
    source, target = view.products.row_of(source_id), view.products.row_of(target_id)
    if source is None or target is None:
        return None
    return view.relationships.learned.targets_of(source).get(target)
