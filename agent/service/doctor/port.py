"""The port that a server is to listen on.

The server's sockets allow a second one on the same port (`SO_REUSEPORT`), which then answers some of the requests:
whoever starts a server has to look first.
"""

import json
import socket
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from typing import Final

from agent.service.doctor.finding import Finding, Level

_WAIT_S: Final = 2.0
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - names of "everywhere"


class PortState(StrEnum):
    """Use of a port."""

    FREE = "free"
    PRICESMITH = "pricesmith"
    OTHER = "other"
    REFUSED = "refused"
    """Nothing listens there, and this process may not either."""


def port_state(host: str, port: int) -> PortState:
    """Whether something listens, and whether it is a Pricesmith server."""
    try:
        with socket.create_connection((_ANY_ADDRESS.get(host, host), port), timeout=_WAIT_S):
            pass
    except OSError:
        return PortState.FREE if _can_bind(host, port) else PortState.REFUSED
    return PortState.PRICESMITH if _is_pricesmith(host, port) else PortState.OTHER


def check_port(host: str, port: int) -> Finding:
    """Whether a server may start on the settings' address, or runs there already."""
    where, state = f"{host}:{port}", port_state(host, port)
    if state is PortState.PRICESMITH:
        return Finding("port", Level.OK, f"a Pricesmith server answers on {where}")
    if state is PortState.OTHER:
        remedy = "end that program, or choose another port: pricesmith serve --port, or PRICESMITH_PORT"
        return Finding("port", Level.PROBLEM, f"another program listens on {where}", remedy)
    if state is PortState.REFUSED:
        remedy = "an address of this machine and a port above 1023: PRICESMITH_HOST, PRICESMITH_PORT"
        return Finding("port", Level.PROBLEM, f"this user cannot listen on {where}", remedy)
    return Finding("port", Level.OK, f"{where} is free")


def _can_bind(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended still holds it
            probe.bind(address)
    except OSError:
        return False
    return True


def _is_pricesmith(host: str, port: int) -> bool:
    connection = HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/livez")
        found = json.loads(connection.getresponse().read(1_000))
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return bool(found == {"status": "alive"})
