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
