"""Reads and writes API keys."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.auth.errors import KeyNotFound, LimitUnreadable, ScopesConflict, ScopeUnknown
from service.auth.keys import Principal, Scope, StoredKey, new_key
from service.auth.limit_text import parse_limit
from service.auth.origins import checked_origins, split_origins
from service.auth.tables import ApiKey


def create_key(
    session: Session,
    label: str,
    scopes: Iterable[str],
    now: datetime,
    expires_in_days: int | None = None,
    rate_limit: str | None = None,
    origins: Iterable[str] = (),
) -> str:
    """Store a new key and return its text, which is nowhere kept.

    Raises ScopeUnknown, ScopesConflict, OriginsInvalid or LimitUnreadable.
    """
    key_id, digest, text = new_key()
    granted = checked_scopes(scopes)
    session.add(
        ApiKey(
            key_id=key_id,
            label=label,
            secret_sha256=digest,
            scopes=",".join(granted),
            created_at=now,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days is not None else None,
            rate_limit=checked_limit(rate_limit),
            origins=",".join(checked_origins(origins, is_public=Scope.STOREFRONT in granted)) or None,
        )
    )
    return text


def rotate_key(session: Session, key_id: str, now: datetime, overlap: timedelta) -> str:
    """Make a key like another one, and let that one expire after the overlap; return the new one's text.

    Raises KeyNotFound, also for a key that is revoked or has expired: there is nothing to hand over.
    """
    old = session.get(ApiKey, key_id)
    if old is None or old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise KeyNotFound(key_id)
    scopes, origins = old.scopes.split(","), split_origins(old.origins)
    text = create_key(session, old.label, scopes, now, rate_limit=old.rate_limit, origins=origins)
    ends = now + overlap
    old.expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
    return text


def checked_limit(rate_limit: str | None) -> str | None:
    """Return a limit as it is stored; raises LimitUnreadable."""
    try:
        limit = parse_limit(rate_limit)
    except ValueError:
        raise LimitUnreadable(rate_limit or "") from None
    return rate_limit if limit else None


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the distinct scopes in order; raises ScopeUnknown or ScopesConflict."""
    wanted = {scope.strip() for scope in scopes} - {""}
    known = [scope.value for scope in Scope]
    if strays := sorted(wanted.difference(known)):
        raise ScopeUnknown(strays[0], known)
    if not wanted:
        raise ScopeUnknown("", known)
    if Scope.STOREFRONT in wanted and len(wanted) > 1:
        raise ScopesConflict
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
            Principal(
                key.key_id,
                frozenset(key.scopes.split(",")),
                parse_limit(key.rate_limit),
                frozenset(origin.encode() for origin in split_origins(key.origins)),
            ),
            key.secret_sha256,
            key.expires_at,
            key.revoked_at,
        )
        for key in session.scalars(select(ApiKey))
    }
