"""`serve`: the HTTP service."""

import os
from typing import Annotated

import typer

from agent.cli.errors import CommandError
from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_json
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.doctor.port import PortState, port_state
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
    _check(settings, address, number)
    os.environ["PRICESMITH_DATA_DIR"] = str(settings.data_dir.resolve())
    if json:
        print_json({"url": f"http://{address}:{number}", "data_dir": str(settings.data_dir), "pid": os.getpid()})
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


def _check(settings: Settings, host: str, port: int) -> None:
    """Fail here, in one line with the remedy, rather than with a traceback of the worker.

    Raises:
        RegistryError: A model is not installed.
        StoreError: The database cannot be used.
        ApiKeyError: The bootstrap key is too short.
        CommandError: The port is taken; a second server would start and answer some of the requests.
    """
    registry = Registry(DataFolder(settings.data_dir).models)
    for kind in ORDER:
        registry.active(kind)
    secret = settings.bootstrap_key
    with open_store(settings) as store:
        KeyRing(store, SystemClock(), secret.get_secret_value() if secret is not None else None)
    state = port_state(host, port)
    if state is PortState.REFUSED:
        raise CommandError(
            f"this user cannot listen on {host}:{port}; remedy: a --host that is an address of this machine, and a "
            "--port above 1023"
        )
    if state is not PortState.FREE:
        what = "a Pricesmith server" if state is PortState.PRICESMITH else "another program"
        raise CommandError(f"{what} listens on {host}:{port} already; remedy: end it, or choose another --port")
