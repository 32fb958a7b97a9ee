"""Reading plain values at once gives what reading them one by one gives."""

from contextlib import closing
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.rows.chunks import Chunk
from service.rows.layout import PLAIN_LAYOUT
from service.rows.plain_values import plain_identifiers, plain_times
from service.rows.readers.delimited import _Records
from service.rows.readers.streams import measured_stream
from service.rows.text_fields import read_identifier
from service.rows.time_fields import read_timestamp
from tests.service.rows.test_readers import read

LENGTHS = st.sampled_from([None, 7, 1.5, "x" * 200, "x" * 201])
TEXTS = st.text(st.sampled_from("ab7 \t\x00é\ud800"), max_size=4) | LENGTHS
TIMES = st.sampled_from(
    [
        "2024-02-29",
        "2024-02-29T12:00:00Z",
        "2024-02-29 12:00:00.5",
        "2024-02-29T12:00:00+02:00",
        " 2024-02-29",
        "20240229",
        "1709164800",
        "1899-12-31",
        "2200-01-01",
        "2024-13-01",
        "2024",
        "",
        None,
        1709164800,
    ]
)
FILES = st.text(st.sampled_from('ab1,"\n\r\x00é'), max_size=60)


def one_by_one(reader: Any, values: list[Any]) -> list[Any] | None:
    try:
        return [reader(value) for value in values]
    except ValueError:
        return None


@given(st.lists(TEXTS, max_size=5))
def test_plain_identifiers_are_read_as_they_are_one_by_one(values: list[Any]) -> None:
    plain = plain_identifiers(values)

    assert plain is None or plain == one_by_one(read_identifier, values)


@given(st.lists(TIMES, max_size=5))
def test_plain_times_are_read_as_they_are_one_by_one(values: list[Any]) -> None:
    plain = plain_times(values)

    assert plain is None or plain == one_by_one(read_timestamp, values)


@pytest.mark.parametrize("values", [["a1", "b 2"], ["x" * 200]])
def test_usual_identifiers_are_plain(values: list[str]) -> None:
    assert plain_identifiers(values) == values


@pytest.mark.parametrize("text", ["2024-02-29", "2024-02-29T12:00:00Z", "2024-02-29 12:00:00"])
def test_usual_times_are_plain(text: str) -> None:
    assert plain_times([text, text]) is not None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.sampled_from(["a", "a,b", "a,b,c"]), text=FILES, rows=st.integers(1, 4))
def test_a_file_is_read_alike_at_once_and_row_by_row(header: str, text: str, rows: int, tmp_path: Any) -> None:
    content = f"{header}\n{text}".encode()

    at_once = read_in(tmp_path, content, rows)
    with patch.object(_Records, "read_plain_rows", lambda records, _rows, _width: (records.line + 1, [])):
        row_by_row = read_in(tmp_path, content, rows)

    assert at_once == row_by_row


def read_in(folder: Any, content: bytes, rows: int) -> Chunk:
    chunk = read(content, str(folder / "file.csv"), rows)
    columns = {name: values for name, values in chunk.columns.items() if values}
    unreadable = sorted(chunk.unreadable, key=lambda reject: reject.line)
    return Chunk(chunk.lines, columns, unreadable, chunk.rows_read)


def test_lines_without_quotes_are_read_at_once(tmp_path: Any) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a;b\r\n1;2\r\n3;4")

    with measured_stream(path) as stream, closing(_Records(stream, PLAIN_LAYOUT)) as records:
        header = next(iter(records))
        plain = records.read_plain_rows(10, 2)

    assert header == (1, ["a", "b"])
    assert plain == (2, [["1", "3"], ["2", "4"]])
