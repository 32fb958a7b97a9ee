"""Which migration is the newest, and which one a database is at: without Alembic, which takes long to load."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

_REVISION: Final = re.compile(r"^(down_)?revision\b[^=]*=(.*)$", re.MULTILINE)
_NAME: Final = re.compile(r"[\"'](\w+)[\"']")


def newest_revision(migrations: Path) -> str:
    """Return the one revision that no other follows."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for script in (migrations / "versions").glob("*.py"):
        for is_parent, names in _REVISION.findall(script.read_text(encoding="utf-8")):
            (followed if is_parent else revisions).update(_NAME.findall(names))
    (newest,) = revisions - followed
    return newest


def revision_of(connection: Connection) -> str | None:
    """Return the revision that a database is at; None if it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
