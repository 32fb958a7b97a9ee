"""Reads curated relationships by the identifiers of products."""

from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection, select

from service.catalogue.tables import Relationship
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship
from service.storage.bulk import in_chunks


def curated_from(
    connection: Connection, source_ids: Sequence[str] | None = None
) -> dict[str, dict[str, CuratedRelationship]]:
    """Read the curated relationships of some source products, or of all, by source and target.

    A row that holds only a note (status ``mined``) decides nothing and is left out. Each product that is named is in
    the result, if with nothing.
    """
    query = select(
        Relationship.source_product_id, Relationship.target_product_id, Relationship.relation, Relationship.status
    ).where(Relationship.status != "mined")
    curated: dict[str, dict[str, CuratedRelationship]] = {}
    if source_ids is None:
        results = [connection.execute(query)]
    else:
        curated = {source_id: {} for source_id in source_ids}
        results = [
            connection.execute(query.where(Relationship.source_product_id.in_(ids))) for ids in in_chunks(source_ids)
        ]
    for source_id, target_id, relation, status in chain.from_iterable(results):
        curated.setdefault(source_id, {})[target_id] = CuratedRelationship(Relation(relation), status == "banned")
    return curated
