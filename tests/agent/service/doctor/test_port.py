import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from agent.service.doctor.finding import Level
from agent.service.doctor.port import PortState, check_port, claim_port, port_state, port_use

HOST = "127.0.0.1"


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """The port of an HTTP server that answers every GET with `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = HTTPServer((HOST, 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_free_port_is_free() -> None:
    port = free_port()
    assert port_state(HOST, port) is PortState.FREE
    assert check_port(HOST, port).level is Level.OK


def test_a_port_that_its_owner_would_share_is_taken() -> None:
    with socket.socket() as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as the server's own sockets are
        owner.bind((HOST, 0))
        owner.listen()
        owner.settimeout(0.1)
        finding = check_port(HOST, owner.getsockname()[1])
    assert finding.level is Level.PROBLEM
    assert "another program listens" in finding.detail
    assert "PRICESMITH_PORT" in finding.remedy


def test_a_pricesmith_server_on_its_port_is_as_it_should_be() -> None:
    with answering(json.dumps({"status": "alive"}).encode()) as port:
        assert port_state(HOST, port) is PortState.PRICESMITH
        assert check_port("0.0.0.0", port).level is Level.OK  # noqa: S104 - what a setting may say


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status": "fine"}'], ids=["nothing", "a page", "other JSON"])
def test_another_web_server_is_no_pricesmith(body: bytes) -> None:
    with answering(body) as port:
        assert port_state(HOST, port) is PortState.OTHER


def test_an_address_of_another_machine_cannot_be_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object, **_options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", refused)
    finding = check_port("192.0.2.1", 8000)  # RFC 5737: nobody's
    assert finding.level is Level.PROBLEM
    assert "PRICESMITH_HOST" in finding.remedy


def test_what_listens_on_the_other_loopback_address_takes_the_port_too() -> None:
    with socket.socket(socket.AF_INET6) as owner:
        try:
            owner.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        owner.listen()
        use = port_use(HOST, owner.getsockname()[1])
    assert use.state is PortState.OTHER
    assert use.where.startswith("[::1]:")


def test_of_two_servers_that_start_at_once_one_gets_the_port() -> None:
    port = free_port()
    first = claim_port(HOST, port)
    assert first is not None
    with first:
        for host in (HOST, "::1", "localhost", "0.0.0.0"):  # noqa: S104 - what a setting may say
            assert claim_port(host, port) is None
    again = claim_port(HOST, port)
    assert again is not None
    again.close()
