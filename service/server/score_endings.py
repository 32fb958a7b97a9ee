"""Which files ``nextoffer score`` writes. Needs no pyarrow: a wrong name is refused before that is loaded."""

from pathlib import Path
from typing import Final

from service.training.errors import OptionInvalid

ENDINGS: Final = (".csv", ".csv.gz", ".ndjson", ".ndjson.gz", ".parquet", ".xlsx")


def ending_of(path: Path) -> str:
    """Return the ending of a file's name, in lower case; raises OptionInvalid if it stands for no known format."""
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending) and name != ending:
            return ending
    raise OptionInvalid(f"--out {path}: unknown ending. Choose one of {', '.join(ENDINGS)}.")
