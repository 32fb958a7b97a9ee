"""Reads and writes API keys."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.auth.errors import KeyNotFound, ScopeUnknown
from service.auth.keys import Principal, Scope, StoredKey, new_key
from service.auth.tables import ApiKey


def create_key(
    session: Session, label: str, scopes: Iterable[str], now: datetime, expires_in_days: int | None = None
) -> str:
    """Store a new key and return its text, which is nowhere kept; raises ScopeUnknown."""
    key_id, digest, text = new_key()
    session.add(
        ApiKey(
            key_id=key_id,
            label=label,
            secret_sha256=digest,
            scopes=",".join(checked_scopes(scopes)),
            created_at=now,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days is not None else None,
        )
    )
    return text


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the distinct scopes in order; raises ScopeUnknown."""
    wanted = {scope.strip() for scope in scopes} - {""}
    known = [scope.value for scope in Scope]
    if strays := sorted(wanted.difference(known)):
        raise ScopeUnknown(strays[0], known)
    if not wanted:
        raise ScopeUnknown("", known)
    return [scope for scope in known if scope in wanted]


def list_keys(session: Session) -> list[ApiKey]:
    """Every key, oldest first."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.key_id)))


def revoke_key(session: Session, key_id: str, now: datetime) -> None:
    """Revoke a key for good; raises KeyNotFound. Revoking it again changes nothing."""
    key = session.get(ApiKey, key_id)
    if key is None:
        raise KeyNotFound(key_id)
    key.revoked_at = key.revoked_at or now


def load_keys(session: Session) -> dict[str, StoredKey]:
    """Every key by its identifier, for the key ring."""
    return {
        key.key_id: StoredKey(
            Principal(key.key_id, frozenset(key.scopes.split(","))), key.secret_sha256, key.expires_at, key.revoked_at
        )
        for key in session.scalars(select(ApiKey))
    }
