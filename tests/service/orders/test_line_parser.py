"""Amounts that are worked out for a whole column are those that are worked out line by line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.money import line_amount
from service.orders.line_parser import LineParser
from service.rows.chunks import Chunk
from service.rows.import_run import ImportRun
from service.rows.number_fields import read_decimal
from service.rows.options import ImportOptions
from service.rows.rejects import Rejects
from service.rows.summary import ImportSummary

AMOUNTS = st.sampled_from(["", "0", "5", "12", "-3"])
QUANTITIES = st.sampled_from(["", "0", "1", "2.5", "-1"])
SALES = st.sampled_from(["1", "3"])
CURRENCIES = st.sampled_from(["", "EUR", "JPY"])


class _NoFile:
    """A source whose rows are made by the test."""

    path = Path("lines.csv")
    origins: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def chunks(self, *_: object) -> list[Chunk]:
        return []


def lines_of(columns: Mapping[str, Any]) -> ImportRun:
    """A run over columns that are called like our fields."""
    summary, rejects = ImportSummary("orders"), Rejects(None, [])
    mapping = {name: name for name in columns}
    return ImportRun(_NoFile(list(columns)), mapping, ImportOptions(), summary, rejects, lambda _: None)


def expected_amount(name: str, amount: str, quantity: str, currency: str) -> int | None:
    number: Any = read_decimal(amount) if amount else None
    try:
        return None if number is None else line_amount(name, number, float(quantity or 1), currency or None)
    except ValueError:
        return None


@pytest.mark.parametrize("name", ["amount", "amount_minor", "unit_price", "unit_price_minor"])
@given(data=st.data(), quantities=st.sampled_from([QUANTITIES, SALES]))
def test_amounts_of_a_column_are_those_of_its_lines(name: str, data: st.DataObject, quantities: Any) -> None:
    currencies = data.draw(st.sampled_from([CURRENCIES, st.just("KWD")]))
    lines = data.draw(st.lists(st.tuples(AMOUNTS, quantities, currencies), max_size=6))
    columns = {name: [line[0] for line in lines], "quantity": [line[1] for line in lines]}
    columns["currency"] = [line[2] for line in lines]
    columns["order_id"] = [str(number) for number in range(len(lines))]

    parsed = LineParser(lines_of(columns)).parse(Chunk(list(range(len(lines))), columns))

    assert parsed.amounts == [expected_amount(name, *line) for line in lines]
    refused = {index for index, (amount, quantity, _) in enumerate(lines) if amount == "-3" and quantity != "0"}
    if name.startswith("amount"):
        refused -= {index for index, (_, quantity, _) in enumerate(lines) if quantity.startswith("-")}
        assert set(parsed.row_errors) == refused
