"""Erasures and other writes take turns, or a write could bring back what an erasure has just deleted."""

from typing import Final

from sqlalchemy import Connection, text

_LOCK: Final = 0x6E786F657261


def hold_off_erasures(connection: Connection) -> None:
    """Have erasures wait for the end of this transaction. Call it first. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _LOCK})


def wait_for_writers(connection: Connection) -> None:
    """Wait for the writes that go on, and have others wait for the end of this transaction. Call it first."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
