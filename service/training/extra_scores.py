"""A file of scores that another system gave pairs of an account and a product: ``nextoffer train --extra-scores``."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BeforeValidator, TypeAdapter

from models.data.extra_scores import MAX_SCORE, ExtraScores
from models.data.history import History
from service.rows.chunks import Progress, RowError
from service.rows.column_mapping import map_columns
from service.rows.duplicate_index import DuplicateIndex, hash_keys, hash_pairs
from service.rows.errors import MissingColumn, TooManyRejects
from service.rows.field_types import Identifier
from service.rows.import_run import ImportRun
from service.rows.options import ImportOptions
from service.rows.plain_values import plain_identifiers
from service.rows.readers import open_source
from service.rows.summary import ImportSummary
from service.rows.text_fields import is_blank, shown
from service.rows.validation import ColumnReader, RowErrors
from service.training.errors import ScoresInvalid
from service.training.rejected_rows import RejectedRows

ACCOUNT, PRODUCT, SCORE = FIELDS = ("account_id", "product_id", "score")


def read_score(value: object) -> float:
    """A finite number; text holds a decimal point and no other signs."""
    if is_blank(value) and not isinstance(value, float):
        raise ValueError("is empty; write a number, or leave the row out")
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    try:
        score = float(str(value))
    except ValueError:
        raise ValueError(f"is not a number: {shown(value)}; write it with a decimal point") from None
    if not math.isfinite(score):
        raise ValueError(f"is not a finite number: {shown(value)}; leave the row out if there is no score")
    if abs(score) > MAX_SCORE:
        raise ValueError(f"is out of range: {shown(value)}; scale the scores")
    return score


Score = Annotated[float, BeforeValidator(read_score)]
_IDENTIFIERS: Final = TypeAdapter(list[Identifier])
_SCORES: Final = TypeAdapter(list[Score])


def read_extra_scores(
    path: Path, history: History, progress: Callable[[Progress], None] = lambda _: None
) -> ExtraScores:
    """Read account_id, product_id and score: CSV, NDJSON, Parquet or XLSX.

    Rows of accounts and products that the history does not know are left out and counted. Raises ScoresInvalid for
    invalid rows and pairs that stand twice, or if nothing is left.
    """
    options, summary = ImportOptions(max_rejects=0), ImportSummary("history", "rows")
    source = open_source(path)
    try:
        columns = map_columns(source, FIELDS, FIELDS, options)
    except MissingColumn as missing:
        lacking, names = ", ".join(missing.fields), ", ".join(source.names)
        raise ScoresInvalid(
            f"{path}: there is no column for {lacking}. The columns are: {names}. Name them {', '.join(FIELDS)}."
        ) from missing
    with closing(RejectedRows(None, [path])) as rejected:
        run = ImportRun(source, columns, options, summary, rejected, progress)
        try:
            pairs = ScoredPairs.of_history(history)
            for chunk in run.chunks():
                run.refuse(chunk, pairs.add(chunk.lines, {name: run.values(chunk, name) for name in FIELDS}))
        except TooManyRejects as error:
            listed = "".join(f"\n  {row}" for row in rejected.first)
            raise ScoresInvalid(
                f"Extra scores are invalid, so nothing was learned. The first of these rows:{listed}\nCorrect them, "
                "or leave them out of the file."
            ) from error
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    scores = pairs.to_scores(digest)
    if not scores.scores.nnz:
        raise ScoresInvalid(
            f"{path}: no row names an account and a product of the sales history, so that there is nothing to blend. "
            "Write their identifiers as the order lines do."
        )
    return scores


@dataclass
class ScoredPairs:
    """Collects scores, chunk by chunk.

    accounts, products: the identifiers of the history, in the order of its rows.
    """

    accounts: pa.Array
    products: pa.Array
    _readers: Mapping[str, ColumnReader] = field(
        default_factory=lambda: {
            ACCOUNT: ColumnReader(_IDENTIFIERS, ACCOUNT, plain_identifiers),
            PRODUCT: ColumnReader(_IDENTIFIERS, PRODUCT, plain_identifiers),
            SCORE: ColumnReader(_SCORES, SCORE, _plain_scores),
        }
    )
    _lines: DuplicateIndex = field(default_factory=lambda: DuplicateIndex(np.uint64))
    _parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = field(default_factory=list)

    @classmethod
    def of_history(cls, history: History) -> "ScoredPairs":
        """Nothing yet."""
        ids = (history.interactions.account_ids, history.interactions.product_ids)
        return cls(*(pa.array(each.tolist(), type=pa.string()) for each in ids))

    def add(self, lines: Sequence[int], given: Mapping[str, Sequence[Any]]) -> RowErrors:
        """Take rows; return what is wrong with those that are not taken. given: the values of each field."""
        values, row_errors = {}, dict[int, tuple[RowError, ...]]()
        for name, reader in self._readers.items():
            values[name], errors = reader.read(given[name])
            for index, of_row in errors.items():
                row_errors[index] = (*row_errors.get(index, ()), *of_row)
        good = np.array([index for index in range(len(lines)) if index not in row_errors], dtype=np.int64)
        accounts, products, scores = ([values[name][index] for index in good] for name in FIELDS)
        repeated = self._find_repeated(accounts, products, np.array(lines, dtype=np.uint64)[good])
        for place, line in repeated.items():
            reason = f"stands with this account on line {line}, too; keep one of the two rows"
            row_errors[int(good[place])] = (RowError(PRODUCT, reason),)
        self._parts.append(
            (_rows(accounts, self.accounts), _rows(products, self.products), np.array(scores, dtype=np.float64))
        )
        return row_errors

    def _find_repeated(self, accounts: list[str], products: list[str], lines: NDArray[np.uint64]) -> dict[int, int]:
        """The places of pairs that stood before, each with the line that they stood on."""
        hashes = hash_pairs(hash_keys(accounts), hash_keys(products))
        _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
        before = self._lines.look_up(hashes)
        is_new = (before == 0) & (first[number] == np.arange(len(hashes)))
        self._lines.add(hashes[is_new], lines[is_new])
        earlier = np.where(before > 0, before, lines[first[number]])
        return {int(place): int(earlier[place]) for place in np.flatnonzero(~is_new)}

    def to_scores(self, sha256: str) -> ExtraScores:
        """The scores of what the history knows. sha256: of the file."""
        nothing = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32), np.empty(0))
        account, product, score = (np.concatenate(parts) for parts in zip(nothing, *self._parts, strict=True))
        left_out = {
            "unknown_account_rows": int((account < 0).sum()),
            "unknown_product_rows": int(((account >= 0) & (product < 0)).sum()),
        }
        is_known = (account >= 0) & (product >= 0)
        shape = (len(self.accounts), len(self.products))
        return ExtraScores.from_pairs(account[is_known], product[is_known], score[is_known], shape, sha256, left_out)


def extra_score_notes(described: Mapping[str, Any]) -> Iterator[str]:
    """Say what became of extra scores. described: ``extra_scores`` of a report's parameters."""
    yield f"Extra scores: {described['pairs']:,} pairs of accounts and products of the sales history."
    for what in ("account", "product"):
        if rows := described[f"unknown_{what}_rows"]:
            yield f"WARNING: {rows:,} rows of extra scores name an unknown {what} and were left out."
    gains = described["validation"]
    if gains["ndcg@20"] is None:
        yield "No account could be measured on the validation window, so extra scores have no weight."
        return
    measured = f"NDCG@20 {gains['ndcg@20']:.4f}, without them {gains['ndcg@20_without']:.4f}"
    weight = f"{described['weight']:g}" if described["weight"] else "none, since they do not gain 1 % there"
    yield f"Their weight in the blend, chosen on the validation window: {weight} ({measured})."


def _plain_scores(values: list[Any]) -> list[float] | None:
    """Scores that are floats already, read at once; None for a column that holds anything else."""
    scores = np.array(values)
    return values if scores.dtype == np.float64 and (np.abs(scores) <= MAX_SCORE).all() else None


def _rows(identifiers: list[str], among: pa.Array) -> NDArray[np.int32]:
    rows = pc.fill_null(pc.index_in(pa.array(identifiers, type=pa.string()), among), -1)
    return np.asarray(rows.to_numpy(zero_copy_only=False), dtype=np.int32)
