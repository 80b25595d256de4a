"""Check of webhook URLs against server-side request forgery: https to public addresses alone.

A host name is resolved once, all of its addresses are checked, and the connection goes to one of these. A name that
resolves to another address a moment later (DNS rebinding) therefore gains nothing.
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
"""IPv6 networks whose addresses embed an IPv4 address."""


class RefusedAddressError(ValueError):
    """The URL of a webhook is not allowed; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL: the IP `address` to connect to, and the `host` that the certificate must name."""

    address: str
    host: str
    port: int
    https: bool


def system_resolve(host: str, port: int) -> list[str]:
    """All IP addresses of a host name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(url: str, *, private: bool, resolve: Resolve = system_resolve) -> Target:
    """Check a URL and resolve its host.

    Args:
        url: Absolute, without user, password or fragment.
        private: Whether plain http and private, loopback and link-local addresses are allowed.
        resolve: Returns all IP addresses of a host name.

    Raises:
        RefusedAddressError: The URL is not allowed, or its host cannot be resolved.
    """
    host, port, https = _split(url, private=private)
    try:
        addresses = list(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise RefusedAddressError(f"the host {host!r} cannot be resolved; remedy: check its name and DNS") from error
    for address in addresses:
        if not private and not is_public(address):
            raise RefusedAddressError(f"the host {host!r} resolves to {address}; allowed: public addresses")
    if not addresses:
        raise RefusedAddressError(f"the host {host!r} has no address; remedy: check its DNS")
    return Target(addresses[0], host, port, https)


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet, in whatever form it is written."""
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


def _split(url: str, *, private: bool) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedAddressError(f"{url[:80]!r} is not a URL; allowed: https://HOST/PATH") from error
    if len(url) > _MAX_CHARS or not url.isascii() or any(char.isspace() for char in url):
        raise RefusedAddressError(
            f"{url[:80]!r} is not a URL; allowed: at most {_MAX_CHARS} ASCII characters without spaces"
        )
    if parts.scheme not in (("https", "http") if private else ("https",)):
        raise RefusedAddressError(f"the scheme is {parts.scheme[:20]!r}; allowed: https")
    if not host or parts.username is not None or parts.password is not None or parts.fragment or "\\" in url:
        raise RefusedAddressError(
            f"{url[:80]!r} lacks a host, or has a user, password or fragment; allowed: https://HOST/PATH"
        )
    https = parts.scheme == "https"
    return host, port or (443 if https else 80), https
