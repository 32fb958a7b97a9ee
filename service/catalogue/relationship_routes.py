"""Relationships over HTTP: to look at, to judge, and to hand out."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Path, Query, Request, Response
from pydantic import Field, TypeAdapter

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.components import components_of
from service.base.pagination import Page, cut_page, decode_cursor
from service.catalogue.curation import Curation
from service.catalogue.errors import RelationshipRefused, UnknownRelationship
from service.catalogue.export import (
    ABOUT,
    COLUMNS,
    DEFAULT_PER_PRODUCT,
    MAX_PER_PRODUCT,
    Selection,
    count_at_most,
    rows_of,
)
from service.catalogue.learned import learned_from
from service.catalogue.pairs import Pair, pair_of
from service.catalogue.queries import find_product
from service.catalogue.relationships import Entry, RelationshipCatalogue, RelationshipFilter
from service.catalogue.schemas import (
    RelationName,
    RelationshipIn,
    RelationshipOut,
    RelationshipPatch,
    RelationshipStatus,
)
from service.readmodel.catalogue_view import CatalogueView
from service.rows.chunks import RowError
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.storage.sessions import ReadSessions
from service.sync.artifact_holder import ArtifactHolder
from service.web.bulk import BulkRows, bulk_response, bulk_route, validate_body
from service.web.columns import Row
from service.web.dependencies import ReadSession, refuse_while_away
from service.web.list_files import FormatOfExport, file_response
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, ProductInPath, text_filter
from service.web.routing import Router
from service.web.spreadsheets import Table
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("relationships")
RELATIONSHIP_PATH: Final = "/relationships/{relationship_id}"
_RELATIONSHIPS: Final = TypeAdapter(list[RelationshipIn])
_POSITION: Final = TypeAdapter(tuple[Annotated[str, Field(pattern=NO_NUL)], int, bool, float, str])
"""The source's identifier, and the parts of the sort key."""
RelationshipInPath = Annotated[str, Path(max_length=4000, pattern=NO_NUL, description="`relationship_id` of the pair.")]
Relation = Annotated[RelationName | None, Query(description="Only relationships of this kind.")]
Status = Annotated[RelationshipStatus | None, Query(description="Only relationships that stand like this.")]
MinimumStrength = Annotated[float, Query(ge=0, le=1, description="Only relationships at least this strong.")]
BasisOfExport = Annotated[
    Literal["product", "category", "any"],
    Query(description="What was counted: products themselves, or their categories for want of history; or either."),
]
PerProduct = Annotated[
    int,
    Query(
        ge=1,
        le=MAX_PER_PRODUCT,
        description="At most so many of each product: upgrades, cross-sells, accessories and substitutes in turn, the "
        "strongest first. What is curated always comes along.",
    ),
]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


def _wanted(
    product: Annotated[str | None, text_filter("Only what this product leads to.", MAX_IDENTIFIER)] = None,
    line: Annotated[str | None, text_filter("Only what products of this line lead to.")] = None,
    category: Annotated[str | None, text_filter("Only what products of this category lead to.")] = None,
    relation: Relation = None,
    status: Status = None,
    minimum_strength: MinimumStrength = 0,
) -> RelationshipFilter:
    return RelationshipFilter(product, line, category, relation, status, minimum_strength)


Wanted = Annotated[RelationshipFilter, Depends(_wanted)]


@router.read_route("/relationships", "List relationships")
def list_relationships(
    request: Request, session: ReadSession, wanted: Wanted, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS
) -> Page[RelationshipOut]:
    """All relationships as they stand: learned ones, with curated ones in their place.

    They come in the order of the source's identifier; of each source, upgrades first, then cross-sells, accessories
    and substitutes; of each relation curated ones first, then the strongest.
    """
    return _page(RelationshipCatalogue(session.connection(), _view(request)), wanted, cursor, limit)


@router.read_route("/relationships/export", "Export the catalogue of relationships", has_files=True)
def export_relationships(
    request: Request,
    wanted: Wanted,
    basis: BasisOfExport = "product",
    per_product: PerProduct = DEFAULT_PER_PRODUCT,
    everything: Annotated[
        bool, Query(alias="all", description="All relationships of both bases: `basis` and `per_product` are ignored.")
    ] = False,
    file_format: FormatOfExport = "csv",
) -> Response:
    """The catalogue as a table: by product line and name, with reasons in words and figures as numbers.

    It holds the best relationships of each product, of what was counted of the products themselves; and everything that
    is curated. `all=true` exports the whole catalogue, which may have hundreds of thousands of rows: take CSV, which is
    streamed.

    `nextoffer import relationships` reads both formats back. What a spreadsheet would take for a formula begins with an
    apostrophe.
    """
    refuse_while_away(request.app)
    selection = Selection() if everything else Selection(None if basis == "any" else basis, per_product)
    view, sessions = _view(request), components_of(request.app).get(ReadSessions)

    def rows() -> Iterator[Row]:
        with sessions.open() as session:
            yield from rows_of(RelationshipCatalogue(session.connection(), view), wanted, selection)

    with sessions.open() as session:
        at_most = count_at_most(session.connection(), view, wanted, selection)
    table = Table("Relationships", COLUMNS, rows, at_most)
    return file_response(request, file_format, ("relationships",), table, about=ABOUT)


@bulk_route(router, "/relationships", "Approve, ban, add or annotate relationships", RelationshipIn)
def import_relationships(request: Request, principal: Writer, rows: BulkRows, writing: UnitOfWorkDep) -> Response:
    """Curate many pairs at once: a JSON array, or one object per line as `application/x-ndjson`.

    A row replaces what was curated of its pair before. It holds until it is changed, whatever is learned,
    and takes effect in the next answer. Each row is judged by itself; one that contradicts the catalogue or other
    relationships is rejected with the reason.
    """
    good, faults = validate_body(_RELATIONSHIPS, rows)

    def work(write: UnitOfWork) -> Response:
        outcomes = _curation(request, write).put(list(good.values()), _author(principal))
        judged = dict(zip(good, outcomes, strict=True))
        refused = {index: (outcome,) for index, outcome in judged.items() if isinstance(outcome, RowError)}
        kept = {index: row for index, row in good.items() if index not in refused}
        statuses = [outcome for outcome in outcomes if not isinstance(outcome, RowError)]
        return bulk_response("relationship_id", rows, kept, statuses, {**faults, **refused})

    return writing.answer(work)


@router.write_route(
    "PATCH",
    RELATIONSHIP_PATH,
    "Approve, ban or annotate a relationship",
    "unknown-relationship",
    "relationship-refused",
    model=RelationshipOut,
)
def update_relationship(
    request: Request,
    principal: Writer,
    relationship_id: RelationshipInPath,
    change: RelationshipPatch,
    writing: UnitOfWorkDep,
) -> Response:
    """Curate one pair, learned or not. A note alone leaves a learned pair as it was learned.

    Another relation than the learned one stands as approved.
    """
    source_id, target_id = pair = _pair(relationship_id)

    def work(write: UnitOfWork) -> Response:
        curation = _curation(request, write)
        catalogue = RelationshipCatalogue(write.connection, _view(request))
        before = _standing(catalogue, curation, pair, relationship_id)
        given = {name: getattr(change, name) for name in change.model_fields_set}
        changes = {name: value for name, value in given.items() if value is not None or name == "note"}
        if before["status"] == "mined" and "relation" in changes and "status" not in changes:
            changes["status"] = "approved"
        if {**before, **changes}["status"] == "mined" and catalogue.learned_relation(*pair) is None:
            raise RelationshipRefused(
                "It was not learned: without a status of its own nothing is left of it. DELETE it instead."
            )
        row = RelationshipIn(
            source_product_id=source_id, target_product_id=target_id, **{**before, "author": None, **changes}
        )
        (outcome,) = curation.put([row], _author(principal))
        if isinstance(outcome, RowError):
            raise RelationshipRefused(f"{outcome.field} {outcome.reason}.")
        return _shown(catalogue, pair)

    return writing.answer(work)


@router.write_route("DELETE", RELATIONSHIP_PATH, "Delete what was curated of a pair", "unknown-relationship")
def delete_relationship(request: Request, relationship_id: RelationshipInPath, writing: UnitOfWorkDep) -> Response:
    """Delete what was curated of a pair: what was learned of it, if anything, holds again."""
    pair = _pair(relationship_id)

    def work(write: UnitOfWork) -> Response:
        if not _curation(request, write).remove(pair):
            raise UnknownRelationship(relationship_id, "Nothing was curated of it. To never offer it, ban it.")
        return Response()

    return writing.answer(work)


@router.read_route("/products/{product_id:identifier}/relationships", "List what a product leads to", "unknown-product")
def list_product_relationships(
    request: Request,
    product_id: ProductInPath,
    session: ReadSession,
    relation: Relation = None,
    status: Status = None,
    minimum_strength: MinimumStrength = 0,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Page[RelationshipOut]:
    """Upgrades of a product, what is sold together with it, and what stands in for it: how sure, from how many orders.

    Learned are at most 20 of each relation, and 60 substitutes, between products that were sold at the training.
    """
    view = _view(request)
    if view is None or view.products.row_of(product_id) is None:
        find_product(session, product_id)
    wanted = RelationshipFilter(product_id, None, None, relation, status, minimum_strength)
    return _page(RelationshipCatalogue(session.connection(), view), wanted, cursor, limit)


def _page(
    catalogue: RelationshipCatalogue, wanted: RelationshipFilter, cursor: str | None, limit: int
) -> Page[RelationshipOut]:
    list_name = ("relationships", wanted.product_id)
    first_source, *after = decode_cursor(cursor, list_name, _POSITION) or ("",)
    following = (
        entry
        for entry in catalogue.walk(wanted, catalogue.source_ids(wanted, first_source))
        if not after or entry.source["product_id"] != first_source or entry.key > tuple(after)
    )
    page_entries = list(islice(following, limit + 1))
    entries, next_cursor = cut_page(page_entries, limit, list_name, _position_of)
    return Page(items=[catalogue.show(entry) for entry in entries], next_cursor=next_cursor)


def _position_of(entry: Entry) -> object:
    return entry.source["product_id"], *entry.key


def _pair(relationship_id: str) -> Pair:
    pair = pair_of(relationship_id)
    if pair is None:
        raise UnknownRelationship(relationship_id, "Take `relationship_id` from a list of relationships.")
    return pair


def _standing(catalogue: RelationshipCatalogue, curation: Curation, pair: Pair, relationship_id: str) -> dict[str, Any]:
    """What is curated of a pair, or else what was learned; raises UnknownRelationship."""
    stored = curation.stored([pair]).get(pair)
    if stored is not None:
        return {name: stored[name] for name in ("relation", "status", "note")}
    relation = catalogue.learned_relation(*pair)
    if relation is None:
        raise UnknownRelationship(relationship_id, "It was neither learned nor added.")
    return {"relation": relation, "status": "mined", "note": None}


def _shown(catalogue: RelationshipCatalogue, pair: Pair) -> Response:
    entry = catalogue.find(*pair)
    assert entry is not None  # noqa: S101 - it was just stored, or is learned
    return Response(catalogue.show(entry).model_dump_json(), media_type="application/json")


def _curation(request: Request, write: UnitOfWork) -> Curation:
    return Curation(write.connection, write.changes, write.now, partial(learned_from, _view(request)))


def _view(request: Request) -> CatalogueView | None:
    current = components_of(request.app).get(ArtifactHolder).current
    return current.catalogue if current else None


def _author(principal: Principal) -> str:
    return f"key {principal.key_id}"
