"""The API keys table."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.database import Base, UtcDateTime


class ApiKey(Base):
    """One key. Only the SHA-256 of its secret is stored: the secret is 256 random bits, so no slow hash is needed."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    secret_sha256: Mapped[str] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rate_limit: Mapped[str | None] = mapped_column(Text)
    origins: Mapped[str | None] = mapped_column(Text)
    """Of a key with the scope ``storefront``: the origins whose pages may use it, separated by commas."""
