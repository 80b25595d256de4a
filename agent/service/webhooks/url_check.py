"""Where webhooks may go: public addresses over https; what was checked is what is connected to.

A name is resolved once, every address that it has is checked, and the connection goes to one of these. A name that
resolves to something else a moment later (DNS rebinding) hence gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

Resolve = Callable[[str, int], Sequence[str]]

_MAX_CHARS: Final = 2_000
_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 networks whose addresses lead to an IPv4 address that they carry."""


class RefusedAddressError(ValueError):
    """A webhook may not go there; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: `address` is what to connect to, `host` the name that the certificate must have."""

    address: str
    host: str
    port: int
    https: bool


def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(url: str, *, private: bool, resolve: Resolve = system_resolve) -> Target:
    """The address behind a URL, once all of it is allowed.

    Args:
        url: Absolute, without user, password or fragment.
        private: Whether plain http and private, loopback and link-local addresses are allowed.
        resolve: All addresses of a name.

    Raises:
        RefusedAddressError: It is not allowed, or the name is unknown.
    """
    host, port, https = _parts(url, private=private)
    try:
        addresses = list(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise RefusedAddressError(f"the name {host!r} cannot be resolved") from error
    for address in addresses:
        if not private and not is_public(address):
            raise RefusedAddressError(f"{host!r} leads to {address}; allowed: public addresses")
    if not addresses:
        raise RefusedAddressError(f"the name {host!r} has no address")
    return Target(addresses[0], host, port, https)


def is_public(address: str) -> bool:
    """Whether an address is reached over the public internet, whatever form it is written in."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in _EMBEDDING):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _parts(url: str, *, private: bool) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedAddressError(f"{url[:80]!r} is no URL") from error
    if len(url) > _MAX_CHARS or not url.isascii() or any(char.isspace() for char in url):
        raise RefusedAddressError(f"{url[:80]!r} is no URL of at most {_MAX_CHARS} ASCII characters without spaces")
    if parts.scheme not in (("https", "http") if private else ("https",)):
        raise RefusedAddressError(f"scheme {parts.scheme[:20]!r} is not allowed; allowed: https")
    if not host or parts.username is not None or parts.password is not None or parts.fragment or "\\" in url:
        raise RefusedAddressError(f"{url[:80]!r} must name a host, and neither user nor password nor fragment")
    https = parts.scheme == "https"
    return host, port or (443 if https else 80), https
