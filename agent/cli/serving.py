"""`serve`: the HTTP service."""

import os
from typing import Annotated

import typer

from agent.cli.options import DataDir, home_settings
from agent.store.data_folder import DataFolder
from models.registry.registry import ORDER, Registry


def serve(
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve quotes over HTTP until SIGTERM or Ctrl-C; requests in flight are finished.

    Example: pricesmith serve --port 8000
    """
    settings = home_settings(data_dir)
    registry = Registry(DataFolder(settings.data_dir).models)
    for kind in ORDER:
        registry.active(kind)  # fail here, with the remedy, rather than in a worker
    os.environ["PRICESMITH_DATA_DIR"] = str(settings.data_dir.resolve())
    from granian import Granian  # only this command needs the server
    from granian.constants import Interfaces

    Granian(
        "agent.asgi:create",
        factory=True,
        interface=Interfaces.ASGI,
        address=host or settings.host,
        port=port or settings.port,
        workers=1,
        log_access=False,
        respawn_failed_workers=False,
        workers_kill_timeout=30,
    ).serve()
