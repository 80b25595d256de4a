"""`serve`: the HTTP service."""

import os
from socket import socket
from typing import Annotated

import typer

from agent.cli.errors import CommandError
from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_json
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.doctor.port import PortState, claim_port, port_use, shown
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from models.registry.registry import ORDER, Registry


def serve(
    data_dir: DataDir = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: PRICESMITH_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: PRICESMITH_PORT, else 8000.")] = None,
    json: Json = False,
) -> None:
    """Answer price requests over HTTP until stopped.

    SIGTERM or Ctrl-C ends it, after the requests in flight are answered. GET /readyz says when it is ready, GET /schema
    describes every request. With --json the address comes first, as JSON; the log follows.

    Example: pricesmith serve --port 8000
    """
    settings = home_settings(data_dir)
    address, number = host or settings.host, port or settings.port
    claim = _claimed(address, number)  # held while this process lives
    _check(settings, address, number)
    os.environ["PRICESMITH_DATA_DIR"] = str(settings.data_dir.resolve())
    if json:
        print_json({"url": f"http://{shown(address, number)}", "data_dir": str(settings.data_dir), "pid": os.getpid()})
    from granian import Granian  # only this command needs the server
    from granian.constants import Interfaces

    Granian(
        "agent.asgi:create",
        factory=True,
        interface=Interfaces.ASGI,
        address=address,
        port=number,
        workers=1,
        log_access=False,
        respawn_failed_workers=False,
        workers_kill_timeout=30,
    ).serve()
    claim.close()


def _check(settings: Settings, host: str, port: int) -> None:
    """Fail here, in one line with the remedy, rather than with a traceback of the worker.

    Raises:
        RegistryError: A model is not installed.
        StoreError: The database cannot be used.
        ApiKeyError: The bootstrap key is too short.
        TracingError: Traces are to be sent, and the extra `tracing` is not installed.
        CommandError: The port is taken; a second server would start and answer some of the requests.
    """
    registry = Registry(DataFolder(settings.data_dir).models)
    for kind in ORDER:
        registry.active(kind)
    secret = settings.bootstrap_key
    with open_store(settings) as store:
        KeyRing(store, SystemClock(), secret.get_secret_value() if secret is not None else None)
    if settings.otlp_endpoint is not None:
        from agent.pricing.tracing import check_exporter  # needed where traces are sent only

        check_exporter()
    _check_port(host, port)


def _claimed(host: str, port: int) -> socket:
    """Claim the port, so that of two servers that start at once one fails.

    Raises:
        CommandError: Another Pricesmith server starts or runs on this port.
    """
    claim = claim_port(host, port)
    if claim is None:
        _check_port(host, port)  # names the address, where that server answers already
        raise CommandError(
            f"another Pricesmith server is starting on port {port} of this machine; remedy: end it, or choose another "
            "--port"
        )
    return claim


def _check_port(host: str, port: int) -> None:
    use = port_use(host, port)
    if use.state is PortState.REFUSED:
        raise CommandError(
            f"this user cannot listen on {use.where}; remedy: a --host that is an address of this machine, and a "
            "--port above 1023"
        )
    if use.state is not PortState.FREE:
        what = "a Pricesmith server" if use.state is PortState.PRICESMITH else "another program"
        raise CommandError(f"{what} listens on {use.where} already; remedy: end it, or choose another --port")
