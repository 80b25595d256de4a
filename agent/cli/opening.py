"""The service in this process, for commands that work without a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import TYPE_CHECKING

from agent.cli.errors import CommandError
from agent.cli.output import progress_bar
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.registry.registry import Registry

if TYPE_CHECKING:
    from agent.service.service import Service


@contextmanager
def running_service(
    settings: Settings, *, quiet: bool, store: Store | None = None, proposes: bool = True
) -> Iterator["Service"]:
    """Load models and indexes, which takes several seconds, and close everything at the end, `store` included.

    Without `proposes` the language model stays out of memory: for commands that quote no prices.

    Raises:
        CommandError: Models are not installed.
        RegistryError: A file of a model is damaged.
        StoreError: The database cannot be used.
    """
    require_models(settings)
    with progress_bar(quiet=quiet) as progress:
        progress("load models and indexes", 0.0)
        from agent.service.assembly import open_service  # loads torch, FAISS and OpenVINO: not for help and completion

        store = store or open_store(settings)
        with closed_on_error(store):
            service = open_service(settings if proposes else _without_language_model(settings), store)
        progress("load models and indexes", 1.0)
    try:
        yield service
    finally:
        service.close()


def require_models(settings: Settings) -> None:
    """Check that a data folder was prepared, before anything is made in it.

    Raises:
        CommandError: It has no models.
        RegistryError: The list of active models is damaged.
    """
    folder = DataFolder(settings.data_dir)
    if Registry(folder.models).in_use():
        return
    if folder.root.exists() and not folder.root.is_dir():
        raise CommandError(f"{folder.root} is a file; remedy: name a folder with --data-dir or PRICESMITH_DATA_DIR")
    state = "are no models in the" if folder.root.is_dir() else "is no"
    raise CommandError(
        f"there {state} data folder {folder.root}; remedy: pricesmith init {quote(str(folder.root))} makes a "
        f"shop of your own there; pricesmith prepare --data-dir {quote(str(folder.root))} makes the demo"
    )


@contextmanager
def closed_on_error(store: Store) -> Iterator[None]:
    """Close a store when the block that was to hand it on fails."""
    try:
        yield
    except BaseException:
        store.close()
        raise


def _without_language_model(settings: Settings) -> Settings:
    return settings.model_copy(update={"language_model": False})
