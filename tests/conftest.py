"""No test reaches the network: connections leave this machine neither by mistake nor by a library's habit."""

import socket
from typing import Any

import pytest

_LOCAL = ("127.", "localhost", "::1", "0.0.0.0")  # noqa: S104 - addresses that tests may connect to


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOCAL):
            raise RuntimeError(f"a test tried to connect to {address[0]}; allowed: this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
