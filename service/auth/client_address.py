"""Where a request comes from, also behind reverse proxies: requests with public keys are counted by it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope

from service.base.headers import headers_of

Address = IPv4Address | IPv6Address


class ClientAddresses:
    """Finds the address of a client. trusted_proxies: addresses or networks whose X-Forwarded-For is believed."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted = [ip_network(proxy) for proxy in trusted_proxies]

    def network_of(self, scope: Scope) -> str:
        """Return a client's address; of IPv6 its /64 network, all of which one client may have. Empty if unknown."""
        client = scope.get("client")
        address = _parse(client[0]) if client else None
        if self._trusted and self._is_trusted(address):
            address = self._forwarded(headers_of(scope).get(b"x-forwarded-for", b"")) or address
        if isinstance(address, IPv6Address):
            return f"{IPv6Address(int(address) >> 64 << 64)}/64"
        return str(address or "")

    def _forwarded(self, header: bytes) -> Address | None:
        """Return the last address that a trusted proxy added: what stands before it may be made up."""
        for text in reversed(header.decode("latin-1").split(",")):
            address = _parse(text.strip())
            if not self._is_trusted(address):
                return address
        return None

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _parse(text: str) -> Address | None:
    """Read an address; an IPv4 one that a socket for both families shows as IPv6 is that of IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
