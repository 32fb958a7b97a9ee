"""API keys: ``nxo_<12 hex digits: key id>_<64 hex digits: 256 random bits>``."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem

KEY_PATTERN = re.compile(r"nxo_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)


class Scope(StrEnum):
    """What a key may do."""

    RECOMMEND = "recommend"
    READ = "read"
    WRITE = "write"
    STOREFRONT = "storefront"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. origins: those whose pages may use the key, as browsers send them; empty where any caller may."""

    key_id: str
    scopes: frozenset[str]
    rate_limit: "RateLimitItem | None" = None
    origins: frozenset[bytes] = frozenset()

    def may(self, scope: str) -> bool:
        """Tell whether the scope is granted; ``admin`` grants every one."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def is_public(self) -> bool:
        """Tell whether the key is in web pages, where anybody can read it."""
        return Scope.STOREFRONT in self.scopes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key as the database knows it."""

    principal: Principal
    secret_sha256: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def opens_with(self, secret: str, now: datetime) -> bool:
        """Compare in constant time, then look whether the key still stands."""
        is_right = compare_digest(digest_of(secret), self.secret_sha256)
        return is_right and self.stands(now)

    def stands(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_key() -> tuple[str, str, str]:
    """Return (key id, digest to store, text to show once)."""
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    return key_id, digest_of(secret), f"nxo_{key_id}_{secret}"


def digest_of(secret: str) -> str:
    """SHA-256 in hex. The secret is 256 random bits: nothing slower is needed against guessing."""
    return sha256(secret.encode()).hexdigest()


def parse_key(presented: str) -> tuple[str, str] | None:
    """Return (key id, secret), or None for what can't be a key of ours."""
    match = KEY_PATTERN.fullmatch(presented)
    return (match[1], match[2]) if match else None
