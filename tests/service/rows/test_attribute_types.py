"""Attributes that a file writes as text get the type that their whole column shows."""

from collections.abc import Sequence
from typing import Any

import pytest

from service.rows.attribute_types import AttributeTypes
from service.rows.options import AttributeType
from service.rows.value_formats import FieldFormat

WRITTEN = FieldFormat(is_from_file=True)


def read(values: Sequence[Any], written: FieldFormat = WRITTEN) -> tuple[AttributeType, list[Any]]:
    types = AttributeTypes(["x"], {}, written)
    for value in values:
        assert types.check({"x": value}) == ()
    return types.type_of("x"), [types.converted({"x": value})["x"] for value in values]


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["10", "100", "-2.5"], "number", [10, 100, -2.5]),
        (["1,234.50", "7"], "number", [1234.5, 7]),
        (["true", "No"], "boolean", [True, False]),
        (["2024-02-29", "2025-01-01"], "date", ["2024-02-29", "2025-01-01"]),
        (["10", "n/a"], "text", ["10", "n/a"]),
        (["01067", "10115"], "text", ["01067", "10115"]),
        (["+49 30 1234", "5"], "text", ["+49 30 1234", "5"]),
        (["1e5", "2"], "text", ["1e5", "2"]),
        (["12345678901234567890"], "text", ["12345678901234567890"]),
        (["0", "1"], "number", [0, 1]),
        (["0.5", "0"], "number", [0.5, 0]),
        (["inf", "1"], "text", ["inf", "1"]),
        (["1.234,50", "1.200", "7"], "number", [1234.5, 1200, 7]),
        (["$1,234,567", "$2,000"], "number", [1234567, 2000]),
        (["1.200"], "number", [1.2]),
        (["1,250", "7"], "number", [1250, 7]),
        (["1.5", "2,5"], "text", ["1.5", "2,5"]),
        (["01.02.2019", "15.2.2019"], "date", ["2019-02-01", "2019-02-15"]),
        (["1/2/2019", "2/15/2019"], "date", ["2019-01-02", "2019-02-15"]),
        (["3 Jan 2025", "Feb 4, 2025"], "date", ["2025-01-03", "2025-02-04"]),
        (["3/4/2019", "5/6/2019"], "text", ["3/4/2019", "5/6/2019"]),
        (["15/2/2019", "2/15/2019"], "text", ["15/2/2019", "2/15/2019"]),
        (["10.1.2", "192.168.0.1"], "text", ["10.1.2", "192.168.0.1"]),
    ],
)
def test_a_column_shows_its_type(texts: list[str], kind: AttributeType, values: list[Any]) -> None:
    assert read(texts) == (kind, values)


def test_values_that_have_a_type_keep_it() -> None:
    assert read([5, True, "7"])[1] == [5, True, 7]


def test_numbers_are_read_by_the_files_decimal_sign() -> None:
    assert read(["1.234,5", "7"], FieldFormat(",", is_from_file=True)) == ("number", [1234.5, 7])


def test_a_given_type_refuses_the_values_that_do_not_fit() -> None:
    types = AttributeTypes(["employees", "zip"], {"employees": "number", "zip": "text"}, WRITTEN)

    [error] = types.check({"employees": "n/a", "zip": "10115"})

    assert (error.field, error.reason) == ("attributes.employees", "is not a number: 'n/a'")
    assert types.check({"employees": "12"}) == ()
    assert types.converted({"employees": "12", "zip": "10115"}) == {"employees": 12, "zip": "10115"}


def test_a_few_values_that_make_a_column_text_are_a_warning() -> None:
    types = AttributeTypes(["employees"], {}, WRITTEN)
    for value in [*map(str, range(20)), "n/a"]:
        types.check({"employees": value})

    notes = types.notes()

    assert notes[0] == "attributes: employees text"
    assert "1 of 21 values are no number, such as 'n/a'" in notes[1]
    assert "--attribute-type employees=number" in notes[1]


def test_columns_show_each_other_how_the_file_is_written() -> None:
    types = AttributeTypes(["revenue", "employees", "since", "until"], {}, FieldFormat(None, is_from_file=True))
    rows = [
        {"revenue": "1.234,50", "employees": "1.200", "since": "3/4/2019", "until": "31/12/2019"},
        {"revenue": "7", "employees": "9", "since": "5/6/2019", "until": "1/2/2019"},
    ]
    assert [types.check(row) for row in rows] == [(), ()]

    assert [types.converted(row) for row in rows] == [
        {"revenue": 1234.5, "employees": 1200, "since": "2019-04-03", "until": "2019-12-31"},
        {"revenue": 7, "employees": 9, "since": "2019-06-05", "until": "2019-02-01"},
    ]


def test_what_a_column_leaves_open_is_a_warning_with_the_option_to_add() -> None:
    types = AttributeTypes(["size", "since"], {}, FieldFormat(None, is_from_file=True))
    types.check({"size": "1,250", "since": "3/4/2019"})

    [_, size, since] = types.notes()

    assert "attribute size is read as text, since the comma in 1,250 may be a decimal one. Add --decimal" in size
    assert "attribute since is read as text, since 3/4/2019 may begin" in since
    assert "--date-format dmy, or mdy" in since


def test_a_given_type_refuses_values_that_are_written_in_two_ways() -> None:
    types = AttributeTypes(["x", "day"], {"x": "number", "day": "date"}, FieldFormat(None, is_from_file=True))
    assert types.check({"x": "1.200", "day": "15/2/2019"}) == ()
    assert types.check({"x": "1.234,5"}) == ()

    errors = types.check({"x": "1.5", "day": "2/15/2019"})

    assert [error.field for error in errors] == ["attributes.x", "attributes.day"]
    assert all("is written otherwise than" in error.reason for error in errors)
    assert types.converted({"x": "1.200", "day": "15/2/2019"}) == {"x": 1200, "day": "2019-02-15"}
