"""Keyed hashes of erased accounts."""

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class Tombstone(Base):
    """One erased account. ``digest``: see ``Digests``.

    sequence:     of the erasure's change. An artifact that was trained on a later change does not hold the account.
    is_objecting: whether the account objected to marketing, and has not come back since: it still does if it comes.
    is_swept:     whether decisions that were on their way while it was erased are deleted, too.
    """

    __tablename__ = "erasures"

    digest: Mapped[str] = mapped_column(Text, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_objecting: Mapped[bool]
    is_swept: Mapped[bool]


class TombstoneKey(Base):
    """The one secret that digests are made with: random, drawn by the first erasure."""

    __tablename__ = "erasure_keys"

    secret: Mapped[str] = mapped_column(Text, primary_key=True)
