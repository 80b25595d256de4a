"""`serve`: the HTTP service."""

import multiprocessing
import os
import sys
from functools import partial
from importlib import import_module
from socket import socket
from typing import Annotated, Final

import typer

from agent.cli.errors import CommandError
from agent.cli.opening import require_models
from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_json, progress_bar
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.doctor.port import PortState, claim_port, port_use, shown
from agent.service.opening import found_store, open_store
from agent.service.settings import Settings
from agent.store import StoreKind
from agent.store.data_folder import DataFolder
from models.registry.registry import ORDER, ModelKind, Registry, read_meta

MOST_WORKERS: Final = 64
_APP: Final = "agent.asgi"
_CREATE: Final = "create_supervised"
_NEEDED: Final = (ModelKind.ENCODER, ModelKind.EVALUATOR, ModelKind.UNDERSTANDING)
"""Kinds without which no server starts; a damaged strategist only leaves quotes to the numeric search."""


def serve(
    data_dir: DataDir = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: PRICESMITH_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. Default: PRICESMITH_PORT, else 8000.", min=1, max=65_535)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that answer. Default: PRICESMITH_WORKERS, else 1.", min=1, max=MOST_WORKERS),
    ] = None,
    init: Annotated[
        bool,
        typer.Option("--init", help="First do as `pricesmith init` does; a demo store only gets new models."),
    ] = False,
    json: Json = False,
) -> None:
    """Answer price requests over HTTP until stopped.

    SIGTERM or Ctrl-C ends it, after the requests in flight are answered. With several --workers, one that fails is
    started again while the others answer. GET /readyz says when it is ready, GET /schema
    describes every request. With --json the address comes first, as JSON; the log follows.

    Example: pricesmith serve --port 8000
    """
    settings = home_settings(data_dir)
    settings = settings.model_copy(update={"workers": workers or settings.workers})
    address, number = host or settings.host, port or settings.port
    with _claimed(address, number):  # while this process lives
        if init:
            _make_shop(settings, quiet=json)
        _check(settings, address, number)
        os.environ["PRICESMITH_DATA_DIR"] = str(settings.data_dir.resolve())
        os.environ["PRICESMITH_WORKERS"] = str(settings.workers)
        if json:
            place = {"url": f"http://{shown(address, number)}", "data_dir": str(settings.data_dir)}
            print_json({**place, "store": found_store(settings), "pid": os.getpid()})
        _listen(settings, address, number)


def _listen(settings: Settings, host: str, port: int) -> None:
    """Run the server until it is stopped.

    One worker loads everything itself, so that this process stays small. Several are forked from this process once it
    has loaded what they can share, where the system can fork.
    """
    from granian import Granian  # only this command needs the server
    from granian.constants import Interfaces

    loader = None
    if settings.workers > 1 and multiprocessing.get_start_method() == "fork":
        from agent.service.preloading import preload  # one worker loads all of this itself

        create = getattr(import_module(_APP), _CREATE)  # its code is shared too
        loader = partial(create, preload(settings))
    Granian(
        f"{_APP}:{_CREATE}",
        factory=True,
        interface=Interfaces.ASGI,
        address=host,
        port=port,
        workers=settings.workers,
        log_access=False,
        respawn_failed_workers=settings.workers > 1,
        workers_kill_timeout=30,
    ).serve(target_loader=loader, wrap_loader=False)


def _make_shop(settings: Settings, *, quiet: bool) -> None:
    """Make a shop where there is none; the demo store only gets the models of this release."""
    from agent.service.ingest.preparation import prepare_models  # models' libraries load slowly: not for help
    from agent.service.own_shop import make_shop

    clock = SystemClock()
    with progress_bar(quiet=quiet) as progress:
        with open_store(settings, clock) as store:
            demo = store.kind() is StoreKind.DEMO
        if demo:
            prepare_models(DataFolder(settings.data_dir), progress, settings.built_models_dir)
            return
        made = make_shop(settings.data_dir, {}, clock, progress)
    if made.new and made.key_file is not None:
        sys.stderr.write(f"pricesmith: a new shop in {made.folder}; its API key is in {made.key_file}\n")


def _check(settings: Settings, host: str, port: int) -> None:
    """Fail here, in one line with the remedy, rather than with a traceback of the worker.

    Raises:
        CommandError: Models are not installed.
        RegistryError: The active version of a kind is missing or damaged.
        StoreError: The database cannot be used.
        ApiKeyError: The bootstrap key is too short.
        TracingError: Traces are to be sent, and the extra `tracing` is not installed.
        CommandError: The port is taken; a second server would start and answer some of the requests.
    """
    require_models(settings)
    registry = Registry(DataFolder(settings.data_dir).models)
    for kind in ORDER:
        registry.active(kind)
    for kind in _NEEDED:
        read_meta(registry.folder(kind, registry.active(kind)))
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
