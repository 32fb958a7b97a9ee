"""Parquet, through pyarrow, which only this module needs and imports when it does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from service.rows.chunks import Chunk, Progress
from service.rows.errors import ReaderMissing, UnreadableFile
from service.rows.readers.streams import reason_of

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


class ParquetSource:
    """A Parquet file. A row's line is its number, from 1."""

    origins: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self.path = path
        with _open(path) as file:
            self.names: list[str] = file.schema_arrow.names
            self.is_nested = any(_is_struct(field.type) for field in file.schema_arrow)
        if repeated := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise UnreadableFile(path, f"columns are named more than once: {', '.join(repeated)}")

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the wanted columns of the rows."""
        done = 0
        with _open(self.path) as file:
            batches = file.iter_batches(batch_size=rows, columns=list(wanted), use_threads=False)
            while (batch := self._next(batches, done)) is not None:
                lines = list(range(done + 1, done + batch.num_rows + 1))
                columns = {name: _values(batch.column(name)) for name in batch.schema.names}
                yield Chunk(lines, columns, rows_read=batch.num_rows)
                done += batch.num_rows
                progress(Progress(self.path, done, file.metadata.num_rows, "rows"))

    def _next(self, batches: Iterator["pyarrow.RecordBatch"], done: int) -> "pyarrow.RecordBatch | None":
        import pyarrow

        try:
            return next(batches, None)
        except (pyarrow.ArrowException, OSError) as error:
            raise UnreadableFile(self.path, reason_of(error), done) from error


def _open(path: Path) -> "ParquetFile":
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ReaderMissing(path) from error
    try:
        return ParquetFile(path, memory_map=False)
    except (pyarrow.ArrowException, OSError) as error:
        raise UnreadableFile(path, reason_of(error)) from error


def _is_struct(column_type: "pyarrow.DataType") -> bool:
    import pyarrow

    is_struct: bool = pyarrow.types.is_struct(column_type)
    return is_struct


def _values(column: "pyarrow.Array") -> list[Any]:
    """Python values. Times lose what is below a microsecond, and their zone: Arrow keeps them in UTC."""
    import pyarrow

    types = pyarrow.types
    if types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us"), safe=False)
    is_plain = types.is_integer(column.type) or types.is_floating(column.type) or types.is_timestamp(column.type)
    # NumPy makes Python values six times as fast as Arrow does, but knows no nulls.
    is_quick = is_plain and column.null_count == 0
    values: list[Any] = column.to_numpy(zero_copy_only=False).tolist() if is_quick else column.to_pylist()
    return values
