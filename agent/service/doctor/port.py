"""The port that a server is to listen on.

The server's sockets allow a second one on the same port (`SO_REUSEPORT`), which then answers some of the requests:
whoever starts a server claims the port first, then looks whether anything listens there.
"""

import errno
import json
import socket
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from typing import Final

from agent.service.doctor.finding import Finding, Level

_WAIT_S: Final = 2.0
_EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - names of "everywhere"
_LOOPBACK: Final = ("127.0.0.1", "::1")


class PortState(StrEnum):
    """Use of a port."""

    FREE = "free"
    PRICESMITH = "pricesmith"
    OTHER = "other"
    REFUSED = "refused"
    """Nothing listens there, and this process may not either."""


@dataclass(frozen=True, slots=True)
class PortUse:
    """Use of a port, and the address at which something listens; the one asked for where nothing does."""

    state: PortState
    where: str


def port_use(host: str, port: int) -> PortUse:
    """Whether something listens on the address or on another name of this machine, and whether it is Pricesmith.

    `localhost` means both loopback addresses: whoever listens on one of them takes requests from the other.
    """
    code = _bind_error(host, port)
    if code not in (0, errno.EADDRINUSE):  # first: an address of another machine is not to be called
        return PortUse(PortState.REFUSED, shown(host, port))
    for address in _reachable(host):
        try:
            with socket.create_connection((address, port), timeout=_WAIT_S):
                pass
        except OSError:
            continue
        state = PortState.PRICESMITH if _is_pricesmith(address, port) else PortState.OTHER
        return PortUse(state, shown(address, port))
    return PortUse(PortState.OTHER if code else PortState.FREE, shown(host, port))


def port_state(host: str, port: int) -> PortState:
    """Use of a port, without the address."""
    return port_use(host, port).state


def claim_port(host: str, port: int) -> socket.socket | None:
    """Claim a port among the Pricesmith servers of this machine, for as long as the socket that is returned is open.

    Two servers that start at once both find the port free: one of them gets the claim. A Linux abstract socket has the
    scope of the port itself and ends with its process. None when another server has the claim.
    """
    scope = "" if host in (*_EVERYWHERE, *_LOOPBACK, "localhost") else f".{host}"
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0pricesmith.port.{port}{scope}")
    except OSError:
        claim.close()
        return None
    return claim


def check_port(host: str, port: int) -> Finding:
    """Whether a server may start on the settings' address, or runs there already."""
    use = port_use(host, port)
    if use.state is PortState.PRICESMITH:
        return Finding("port", Level.OK, f"a Pricesmith server answers on {use.where}")
    if use.state is PortState.OTHER:
        remedy = "end that program, or choose another port: pricesmith serve --port, or PRICESMITH_PORT"
        return Finding("port", Level.PROBLEM, f"another program listens on {use.where}", remedy)
    if use.state is PortState.REFUSED:
        remedy = "an address of this machine and a port above 1023: PRICESMITH_HOST, PRICESMITH_PORT"
        return Finding("port", Level.PROBLEM, f"this user cannot listen on {use.where}", remedy)
    return Finding("port", Level.OK, f"{use.where} is free")


def shown(host: str, port: int) -> str:
    """Address and port as they are written in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reachable(host: str) -> tuple[str, ...]:
    """Addresses at which a server on `host` would answer, or something else instead of it."""
    if host in _EVERYWHERE or host == "localhost":
        return _LOOPBACK
    return (host, *(one for one in _LOOPBACK if one != host)) if host in _LOOPBACK else (host,)


def _bind_error(host: str, port: int) -> int:
    """The error number with which this process fails to bind an address; 0 where it does not."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended still holds it
            probe.bind(address)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0


def _is_pricesmith(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/livez")
        found = json.loads(connection.getresponse().read(1_000))
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return bool(found == {"status": "alive"})
