"""Search in texts, whatever their case: the same on both databases."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, cast, func, literal, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

SQLITE_LOWER: Final = "nextoffer_lower"
"""SQLite's own ``lower`` knows ASCII alone; this one is Python's, see ``service.storage.database``."""
_ESCAPE: Final = "\\"


class lowered(FunctionElement[str]):  # noqa: N801  SQLAlchemy's functions are named like those of SQL.
    """A text in lower case."""

    type = Text()
    inherit_cache = True


@compiles(lowered)
def _lowered(element: Any, compiler: Any, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(lowered, "sqlite")
def _lowered_in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"{SQLITE_LOWER}({compiler.process(element.clauses, **options)})"


def contains_text(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that a column contains a text, whatever the case. No character of the text is special."""
    escaped = text.replace(_ESCAPE, _ESCAPE * 2).replace("%", _ESCAPE + "%").replace("_", _ESCAPE + "_")
    if text.isascii():
        # Both databases do this by themselves, several times as fast.
        matches: ColumnElement[bool] = column.ilike(f"%{escaped}%", escape=_ESCAPE)
        return matches
    return lowered(column).like(lowered(literal(f"%{escaped}%", Text)), escape=_ESCAPE)


def has_attribute(session: Session, column: Any, name: str, value: str) -> ColumnElement[bool]:
    """Return the condition that an object in a JSON column has a value under a name.

    value: as text, such as ``medical``, ``4540`` or ``true``. A list or an object equals nothing.
    """
    stored, key, wanted = type_coerce(column, Text), literal(name, Text), literal(value, Text)
    if session.get_bind().dialect.name != "sqlite":
        found: ColumnElement[str] = stored.op("->>", return_type=Text())(key)
        return found == wanted
    # SQLite's ->> would take some names for paths, and reads true as 1.
    member = func.json_each(stored).table_valued("key", "type", "atom", name="member")
    as_text = case((member.c.type.in_(("true", "false")), member.c.type), else_=cast(member.c.atom, Text))
    return select(literal(1)).select_from(member).where(member.c.key == key, as_text == wanted).exists()
