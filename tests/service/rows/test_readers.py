"""Reading files: formats, defects, and the lines that defects are on."""

import gzip
import sys
from pathlib import Path

import pytest

from service.rows.chunks import Chunk
from service.rows.errors import ReaderMissing, UnreadableFile
from service.rows.readers import open_source


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test, where it writes its files."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(content: bytes, name: str = "file.csv", rows: int = 100) -> Chunk:
    path = Path(name)
    path.write_bytes(content)
    source = open_source(path)
    whole = Chunk([], {})
    for chunk in source.chunks(source.names, rows, lambda _: None):
        whole = whole.followed_by(chunk)
    return whole


def rejected(chunk: Chunk) -> list[tuple[int, str]]:
    return [(reject.line, reject.row_errors[0].reason) for reject in chunk.unreadable]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    chunk = read(f"a{delimiter}b\n1{delimiter}2\n".encode())

    assert chunk.columns == {"a": ["1"], "b": ["2"]}


def test_a_delimiter_within_a_quoted_name_does_not_count() -> None:
    chunk = read(b'"a,b,c";d\n1;2\n')

    assert chunk.columns == {"a,b,c": ["1"], "d": ["2"]}


def test_a_byte_order_mark_and_blank_lines_are_passed_over() -> None:
    chunk = read(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n")

    assert (chunk.columns, chunk.lines) == ({"a": ["1"], "b": ["2"]}, [3])


def test_lines_are_those_of_the_file_even_after_quoted_newlines() -> None:
    chunk = read(b'a,b\n"one\ntwo",2\n3,4\n')

    assert chunk.lines == [2, 4]
    assert chunk.columns["a"] == ["one\ntwo", "3"]


def test_a_ragged_row_is_rejected_alone() -> None:
    chunk = read(b"a,b\n1,2\n3\n4,5,6\n7,8\n")

    assert chunk.lines == [2, 5]
    assert rejected(chunk) == [(3, "has 1 values for 2 columns"), (4, "has 3 values for 2 columns")]


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    chunk = read(b'a,b\n1,2\n"3,4\n5,6\n7,8\n')

    assert chunk.lines == [2, 4, 5]
    assert [line for line, _ in rejected(chunk)] == [3]


def test_a_quote_that_is_closed_far_below_costs_one_row() -> None:
    chunk = read(b'a,b\n"1,2\n3,4\n5,"6"\n7,8\n')

    assert chunk.lines == [3, 4, 5]
    assert chunk.columns["b"] == ["4", "6", "8"]
    assert [line for line, _ in rejected(chunk)] == [2]


def test_undecodable_bytes_are_rejected_with_their_place() -> None:
    chunk = read("a,b\n1,2\ncaf\u00e9,3\n4,5\n".encode("latin-1"))

    assert chunk.lines == [2, 4]
    [(line, reason)] = rejected(chunk)
    assert line == 3
    assert reason.startswith("holds byte 0xE9, its number 4, that is not UTF-8; ")
    assert "--encoding cp1252" in reason
    assert chunk.unreadable[0].row_errors[0].field == "a"


def test_ndjson_lines_that_are_no_objects_are_rejected_alone() -> None:
    chunk = read(b'{"a": 1}\n\n{"a": \n[1]\n{"a": 2, "b": null}\n{"a": "\xff"}\n{"a": NaN}\n', "file.ndjson")

    assert chunk.lines == [1, 5]
    assert chunk.columns == {"a": [1, 2], "b": [None, None]}
    assert [line for line, _ in rejected(chunk)] == [3, 4, 6, 7]
    assert rejected(chunk)[1] == (4, "must be an object, not list")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b'[{"a": 1}]', "JSON array"),
        (b"caf\xe9,b\n1,2\n", "first line is not UTF-8"),
        (b'"a,b\n1,2\n', "not a header"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:20], "cut off"),
        (b"\x1f\x8bnonsense", "corrupt|cut off"),
        (b"PAR1", "Parquet|parquet|file size"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_name(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message) as raised:
        read(content, "broken.csv")

    assert "broken.csv" in str(raised.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.csv: No such file"):
        open_source(Path("absent.csv"))


def test_parquet_without_its_reader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ReaderMissing, match=r"pip install 'nextoffer\[train\]'"):
        read(b"PAR1", "file.parquet")


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_reading_in_pieces_reads_the_same(rows: int) -> None:
    content = b'a,b\n1,2\n"x\ny",3\n"4\n5,6\nbad\n7,8\n'

    assert read(content, rows=rows) == read(content, rows=1000)
