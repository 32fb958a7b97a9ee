"""Origins that a key is bound to, exactly as browsers send them."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from service.auth.errors import OriginsInvalid

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""Ports that a browser leaves out."""
_FORM: Final = re.compile(r"(https?)://([^/?#@\s,*]+)", re.IGNORECASE)


def checked_origins(origins: Iterable[str], *, is_public: bool) -> list[str]:
    """Return the distinct origins as browsers send them; raises OriginsInvalid.

    is_public: whether the key is for web pages. Such a key needs an origin, and no other key takes one.
    """
    given = [origin.strip() for origin in origins if origin.strip()]
    if given and not is_public:
        raise OriginsInvalid("Origins bind keys with the scope storefront only; leave them out, or use that scope.")
    if is_public and not given:
        raise OriginsInvalid(
            "A key with the scope storefront needs the origins of its pages, such as --origins https://shop.example"
        )
    return list(dict.fromkeys(map(normal_origin, given)))


def normal_origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, in ASCII, without a default port; raises OriginsInvalid."""
    match = _FORM.fullmatch(text)
    host, port = _host_and_port(text) if match else ("", None)
    if match is None or not host:
        raise OriginsInvalid(
            f"{text!r} is no origin; write scheme, host and, if it is not the default, port, without a path or "
            "wildcard: https://shop.example or http://localhost:3000"
        )
    scheme = match[1].lower()
    return f"{scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}")


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Return the host in lower case and in ASCII, empty where it is none, and the port if there is one."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        # The codec refuses empty labels. An IPv6 address stays in its brackets.
        is_cut_off = parts.netloc.endswith(":")
        return "" if is_cut_off else f"[{host}]" if ":" in host else host.encode("idna").decode(), port
    except ValueError:
        return "", None


def split_origins(stored: str | None) -> list[str]:
    """Return the origins of a stored key."""
    return stored.split(",") if stored else []
