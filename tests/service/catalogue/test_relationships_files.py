"""The catalogue of relationships goes out as files, and comes back the same."""

import csv
from dataclasses import replace
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine, Table, delete, insert
from typer.testing import CliRunner

from service.catalogue.curation import Curation
from service.catalogue.export import COLUMNS, Selection, count_at_most, rows_of
from service.catalogue.learned import learned_from
from service.catalogue.relationships import RelationshipCatalogue, RelationshipFilter
from service.catalogue.schemas import RelationshipIn
from service.catalogue.tables import Product, Relationship
from service.cli import app
from service.imports.importer import import_file
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.rows.errors import UnreadableFile
from service.rows.formulas import harmless, plain
from service.rows.options import ImportOptions
from service.rows.summary import ImportSummary
from service.storage.changes import ChangeLog
from service.web import spreadsheets
from service.web.spreadsheets import TooLargeForSpreadsheet, csv_of, workbook_of
from tests.artifacts import ProductSpec, World, content_of
from tests.service.conftest import NOON

NOTHING = RelationshipFilter()
SIGNS = "=+-@'\"\t,;\n\r\uff1dé"
WHOLE = st.text(st.sampled_from(SIGNS + "ab1 "), min_size=1, max_size=6).filter(lambda text: text == text.strip())
PRINTED = WHOLE.filter(lambda text: not set("\t\r\n") & set(text))
RELATIONS = st.sampled_from(["up_sell", "cross_sell", "accessory", "substitute"])
STATUSES = st.sampled_from(["mined", "approved", "banned", "added"])


def store(engine: Engine, *products: dict[str, Any]) -> None:
    """Store only these products, without curated relationships."""
    nothing = dict.fromkeys(("line", "category", "family", "tier", "price_minor", "currency", "margin_minor"))
    with engine.begin() as connection:
        connection.execute(delete(Relationship))
        connection.execute(delete(Product))
        rows = [
            {**nothing, "name": p["product_id"], "is_active": True, "attributes": {}, "is_stub": False, **p}
            for p in products
        ]
        connection.execute(insert(cast(Table, Product.__table__)), [{**row, "updated_at": NOON} for row in rows])


def curate(engine: Engine, view: CatalogueView | None, *rows: RelationshipIn) -> None:
    """Curate some pairs; contradictions are refused."""
    with engine.begin() as connection:
        changes = ChangeLog()
        Curation(connection, changes, NOON, partial(learned_from, view)).put(rows, "ann")


def standing(engine: Engine, view: CatalogueView | None) -> list[tuple[Any, ...]]:
    """The catalogue as it stands."""
    with engine.connect() as connection:
        return [
            (
                entry.source["product_id"],
                entry.target["product_id"],
                entry.relation,
                entry.status,
                entry.standing.strength,
                (entry.stored or {}).get("note"),
                (entry.stored or {}).get("updated_by"),
            )
            for entry in RelationshipCatalogue(connection, view).walk(NOTHING)
        ]


def as_csv(catalogue: RelationshipCatalogue, wanted: RelationshipFilter) -> bytes:
    """The catalogue as CSV."""
    return b"".join(csv_of(COLUMNS, rows_of(catalogue, wanted)))


def as_workbook(catalogue: RelationshipCatalogue, wanted: RelationshipFilter, at_most: int = 0) -> bytes:
    """The catalogue as a workbook."""
    table = spreadsheets.Table("Relationships", COLUMNS, lambda: rows_of(catalogue, wanted), at_most)
    return b"".join(workbook_of(spreadsheets.Workbook((table,), {"relation": "What it is."})))


def exported(engine: Engine, view: CatalogueView | None, wanted: RelationshipFilter = NOTHING) -> bytes:
    """The catalogue as CSV."""
    with engine.connect() as connection:
        return as_csv(RelationshipCatalogue(connection, view), wanted)


def read(content: bytes) -> list[dict[str, str]]:
    """The rows of an exported CSV."""
    return list(csv.DictReader(StringIO(content.decode("utf-8-sig"), newline="")))


def import_back(engine: Engine, folder: Path, name: str, content: bytes) -> ImportSummary:
    """Import an exported file."""
    path = folder / name
    path.write_bytes(content)
    return import_file(engine, "relationships", [path], ImportOptions(rejects=folder / "rejects.csv"))


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_the_export_comes_back_as_the_same_catalogue(
    engine: Engine, tmp_path: Path, file_format: str, data: st.DataObject
) -> None:
    texts = WHOLE if file_format == "csv" else PRINTED
    ids = data.draw(st.lists(texts, min_size=2, max_size=5, unique=True))
    pairs = st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda pair: pair[0] != pair[1])
    learned = [
        (source, data.draw(RELATIONS), target, 8)
        for source, target in data.draw(st.lists(pairs, unique=True, max_size=6))
    ]
    world = World([ProductSpec(i) for i in ids], {}, {}, [], relationships=learned)
    view = LiveState(content_of(world), 0).part(CatalogueView)
    store(engine, *({"product_id": i, "name": data.draw(texts), "line": data.draw(st.none() | texts)} for i in ids))
    rows = [
        RelationshipIn(
            source_product_id=source,
            target_product_id=target,
            relation=data.draw(RELATIONS),
            status=data.draw(STATUSES),
            note=data.draw(st.none() | texts),
            author=data.draw(st.none() | texts),
        )
        for source, target in data.draw(st.lists(pairs, max_size=6))
    ]
    curate(engine, view, *rows)
    before = standing(engine, view)
    with engine.connect() as connection:
        catalogue = RelationshipCatalogue(connection, view)
        content = as_csv(catalogue, NOTHING) if file_format == "csv" else as_workbook(catalogue, NOTHING)
    with engine.begin() as connection:
        connection.execute(delete(Relationship))

    summary = import_back(engine, tmp_path, f"catalogue.{file_format}", content)

    assert summary.rejected == 0
    assert standing(engine, view) == before


@given(st.text())
def test_no_cell_runs_and_each_comes_back(text: str) -> None:
    cell = harmless(text)

    assert not cell.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert plain(cell) == text


def test_the_catalogue_is_for_people(engine: Engine) -> None:
    price = {"currency": "EUR", "line": "Tools"}
    store(
        engine,
        {"product_id": "2", "name": "=Saw", "price_minor": 2000, **price},
        {"product_id": "1", "name": "Drill", "price_minor": 5000, **price},
        {"product_id": "0", "name": "Apple", "line": None},
    )
    world = World([ProductSpec(i) for i in "012"], {}, {}, [], relationships=[("1", "cross_sell", "0", 8)])
    view = LiveState(content_of(world), 0).part(CatalogueView)
    curate(
        engine,
        view,
        RelationshipIn(source_product_id="2", target_product_id="1", relation="up_sell", note="-1", author="@bob"),
        RelationshipIn(source_product_id="1", target_product_id="2", relation="accessory"),
        RelationshipIn(source_product_id="0", target_product_id="1", relation="cross_sell"),
    )

    rows = read(exported(engine, view))

    assert list(rows[0]) == [column.name for column in COLUMNS]
    assert [(row["product_line"], row["product"], row["related_product"], row["relation"]) for row in rows] == [
        ("Tools", "'=Saw", "Drill", "up_sell"),
        ("Tools", "Drill", "Apple", "cross_sell"),
        ("Tools", "Drill", "'=Saw", "accessory"),
        ("", "Apple", "Drill", "cross_sell"),
    ]
    assert rows[0]["price_step"] == "30.00 EUR more"
    assert rows[2]["price_step"] == "30.00 EUR less"
    assert (rows[0]["note"], rows[0]["author"]) == ("'-1", "'@bob")
    assert rows[1]["reason"] == "Bought together in 8 orders by 8 customers, 2.0 times as often as by chance."
    assert [(row["together"], row["buyers"]) for row in rows] == [("", ""), ("8", "8"), ("", ""), ("", "")]
    assert rows[1]["status"] == "mined"


@pytest.mark.parametrize(
    ("selection", "targets"),
    [
        (Selection(), ["1", "2", "3", "5", "4"]),
        (Selection("product", 2), ["1", "5", "4"]),
        (Selection("product", 3), ["1", "2", "5", "4"]),
        (Selection("product", 10), ["1", "2", "3", "5", "4"]),
        (Selection("category", 10), ["5"]),
    ],
)
def test_the_strongest_of_each_relation_are_exported_and_all_that_is_curated(
    engine: Engine, selection: Selection, targets: list[str]
) -> None:
    store(engine, *({"product_id": i} for i in "012345"))
    learned = [("0", "cross_sell", str(place), 9 - place) for place in (1, 2, 3)] + [("0", "substitute", "4", 5)]
    view = LiveState(content_of(World([ProductSpec(i) for i in "012345"], {}, {}, [], relationships=learned)), 0).part(
        CatalogueView
    )
    banned = RelationshipIn(source_product_id="0", target_product_id="5", relation="accessory", status="banned")
    curate(engine, view, banned)

    with engine.connect() as connection:
        rows = list(rows_of(RelationshipCatalogue(connection, view), NOTHING, selection))
        at_most = count_at_most(connection, view, NOTHING, selection)

    assert [row["target_product_id"] for row in rows] == targets
    assert at_most == len(targets)


def test_figures_are_numbers_that_a_spreadsheet_can_sort(engine: Engine) -> None:
    price = {"currency": "EUR"}
    store(engine, {"product_id": "a", "price_minor": 5000, **price}, {"product_id": "b", "price_minor": 2000, **price})
    world = World([ProductSpec(i) for i in "ab"], {}, {}, [], relationships=[("b", "cross_sell", "a", 8)])
    view = LiveState(content_of(world), 0).part(CatalogueView)
    curate(engine, view, RelationshipIn(source_product_id="a", target_product_id="b", relation="accessory"))

    with engine.connect() as connection:
        sheet = load_workbook(BytesIO(as_workbook(RelationshipCatalogue(connection, view), NOTHING))).worksheets[0]

    names = [column.name for column in COLUMNS]
    curated, learned = (dict(zip(names, row, strict=True)) for row in sheet.iter_rows(min_row=2))
    assert (curated["price_difference"].value, curated["price_difference"].number_format) == (-30, "#,##0.00")
    assert (curated["price_step"].value, curated["currency"].value) == ("30.00 EUR less", "EUR")
    assert (learned["confidence"].value, learned["confidence"].number_format) == (8 / 20, "0.0%")
    assert (learned["together"].value, learned["lift"].value, learned["basis"].value) == (8, 8 / 4, "product")


def test_a_workbook_holds_text_and_no_formula(engine: Engine) -> None:
    store(engine, {"product_id": "=1+1"}, {"product_id": "b"})
    curate(engine, None, RelationshipIn(source_product_id="=1+1", target_product_id="b", relation="cross_sell"))

    with engine.connect() as connection:
        content = as_workbook(RelationshipCatalogue(connection, None), NOTHING)

    sheet = load_workbook(BytesIO(content)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    assert sheet["B2"].value == "'=1+1"


def test_what_a_workbook_can_not_hold_is_shown_as_unknown_characters(engine: Engine) -> None:
    store(engine, {"product_id": "a", "name": "bell\x07"}, {"product_id": "b"})
    curate(engine, None, RelationshipIn(source_product_id="a", target_product_id="b", relation="cross_sell"))

    with engine.connect() as connection:
        content = as_workbook(RelationshipCatalogue(connection, None), NOTHING)

    assert load_workbook(BytesIO(content)).worksheets[0]["B2"].value == "bell\ufffd"


def test_a_sheet_that_would_overflow_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_WORKBOOK_ROWS", 1)
    store(engine, {"product_id": "a"}, {"product_id": "b"})
    pair = RelationshipIn(source_product_id="a", target_product_id="b", relation="cross_sell")
    curate(engine, None, pair, pair.model_copy(update={"source_product_id": "b", "target_product_id": "a"}))

    for at_most in (0, 2):
        with engine.connect() as connection, pytest.raises(TooLargeForSpreadsheet, match=r"has 2 rows.*1 at most"):
            as_workbook(RelationshipCatalogue(connection, None), NOTHING, at_most)


def test_bad_rows_are_written_down_with_their_reason_and_good_ones_stored(engine: Engine, tmp_path: Path) -> None:
    store(engine, {"product_id": "a", "price_minor": 10}, {"product_id": "b", "price_minor": 5}, {"product_id": "c"})
    lines = [
        "source_product_id,target_product_id,relation,status",
        "a,b,up_sell,approved",
        "a,b,friend,",
        "a,x,cross_sell,",
        "a,a,cross_sell,",
        "a,c,Up-Sell,",
        "c,a,up sell,",
    ]

    summary = import_back(engine, tmp_path, "in.csv", "\n".join(lines).encode())

    with (tmp_path / "rejects.csv").open(newline="") as file:
        rejects = [(row["line"], row["field"], row["reason"]) for row in csv.DictReader(file)]
    assert (summary.read, summary.rejected) == (6, 5)
    assert [(line, field) for line, field, _ in rejects] == [
        ("2", "relation"),
        ("3", "relation"),
        ("4", "target_product_id"),
        ("5", "target_product_id"),
        ("7", "relation"),
    ]
    assert rejects[0][2].startswith("up_sell leads downwards: 'b' costs 0.05, less than 0.10")
    assert "circle: c → a → c" in rejects[-1][2]
    assert [(row[0], row[1], row[2], row[3]) for row in standing(engine, None)] == [("a", "c", "up_sell", "added")]


def test_a_file_again_changes_nothing_and_mined_takes_back(engine: Engine, tmp_path: Path) -> None:
    store(engine, {"product_id": "a"}, {"product_id": "b"})
    header = "source_product_id,target_product_id,relation,status\n"
    first = import_back(engine, tmp_path, "in.csv", f"{header}a,b,cross_sell,banned\n".encode())
    again = import_back(engine, tmp_path, "in.csv", f"{header}a,b,cross_sell,banned\n".encode())
    assert (first.rows.new, again.rows.new, again.rows.changed) == (1, 0, 0)

    import_back(engine, tmp_path, "in.csv", f"{header}a,b,cross_sell,mined\n".encode())

    assert standing(engine, None) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PK\x03\x04rubbish", "the workbook can't be read"), (b"", "the file is empty")],
)
def test_rubbish_is_refused(engine: Engine, tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        import_back(engine, tmp_path, "in.xlsx", content)


def test_a_workbook_without_names_is_refused(engine: Engine, tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.worksheets[0].append([None, None])
    workbook.worksheets[0].append(["x", "y"])
    file = BytesIO()
    workbook.save(file)

    with pytest.raises(UnreadableFile, match="must name the columns"):
        import_back(engine, tmp_path, "in.xlsx", file.getvalue())


def test_a_workbook_of_products_is_imported_too(engine: Engine, tmp_path: Path) -> None:
    workbook = Workbook()
    for row in (["product_id", "name", "price"], [995242, "Soup", 2.69], [None, None, None], ["b", None, None]):
        workbook.worksheets[0].append(row)
    workbook.save(tmp_path / "products.xlsx")

    summary = import_file(engine, "products", [tmp_path / "products.xlsx"])

    assert (summary.read, summary.rejected, summary.rows.new) == (2, 0, 2)


def test_the_command_imports_what_the_route_exports(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("source_product_id,target_product_id,relation\na,b,cross_sell\n")
    environment = {"NEXTOFFER_DATABASE_URL": sqlite_url}

    result = CliRunner().invoke(
        app, ["import", "relationships", str(path), "--rejects", str(tmp_path / "r.csv")], env=environment
    )

    assert result.exit_code == 4, result.output
    assert "1 rows rejected" in result.output
    assert "names no product: there is no 'a'" in (tmp_path / "r.csv").read_text()


def test_filters_narrow_the_export_down(engine: Engine) -> None:
    store(engine, {"product_id": "a", "line": "L"}, {"product_id": "b"})
    pair = RelationshipIn(source_product_id="a", target_product_id="b", relation="cross_sell")
    curate(engine, None, pair, pair.model_copy(update={"source_product_id": "b", "target_product_id": "a"}))

    for wanted in (replace(NOTHING, line="L"), replace(NOTHING, product_id="a")):
        assert [row["source_product_id"] for row in read(exported(engine, None, wanted))] == ["a"]
    assert read(exported(engine, None, replace(NOTHING, status="banned"))) == []
