"""Writers that take turns: what they check must still hold when they commit. SQLite has one writer at a time anyway."""

from typing import Final

from sqlalchemy import Connection, text

_ERASURES: Final = 0x6E786F657261
POLICY_TURNS: Final = 0x6E786F706F6C
"""Of writers of policies: names, limits and versions are judged on what is committed."""
GOAL_TURNS: Final = 0x6E786F676F61
"""The same of writers of goals and weights."""
OUTCOME_TURNS: Final = 0x6E786F6F7574
"""Of writers of outcomes: what was reported before is judged on what is committed."""
RESERVATION_TURNS: Final = 0x6E786F726573
"""Of writers of reservations: what is left of caps is judged on what is committed."""


ACCOUNT_TURNS: Final = 0x6E786F706172
"""Of writers that give accounts a parent: cycles and levels are judged on what is committed."""

NOTE_TURNS: Final = 0x6E786F6E6F74
"""Of writers of notes on accounts: their number is judged on what is committed."""


def take_turn(connection: Connection, lock: int) -> None:
    """Have other writers that take the same turns wait for the end of this transaction. Call it first."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


def hold_off(connection: Connection, lock: int) -> None:
    """Have writers that take these turns wait for the end of this transaction; others that hold them off don't.

    Call it first.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": lock})


def hold_off_erasures(connection: Connection) -> None:
    """Have erasures wait for the end of this transaction, or it could bring back what one has just deleted.

    Call it first. It does not keep other writers waiting.
    """
    hold_off(connection, _ERASURES)


def wait_for_writers(connection: Connection) -> None:
    """Wait for the writes that go on, and have others wait for the end of this transaction. Call it first."""
    take_turn(connection, _ERASURES)
