"""Opens the store that the settings name, without loading models or indexes."""

from agent.domain.clock import Clock
from agent.service.settings import Settings
from agent.store import Store, StoreKind, StoreUnavailable
from agent.store.data_folder import DataFolder


def found_store(settings: Settings) -> StoreKind | None:
    """Kind of the store that the settings name; None where there is none yet, and none is made.

    Raises:
        StoreError: The address is not supported, or the database is of another release.
        StoreUnavailable: The database did not answer.
    """
    if settings.database_url is None and not DataFolder(settings.data_dir).database.is_file():
        return None
    with open_store(settings) as store:
        return store.kind()


def open_store(settings: Settings, clock: Clock | None = None) -> Store:
    """The store of one merchant, made where there is none; its schema is brought up to date.

    Raises:
        StoreError: The address is not supported, or a newer Pricesmith wrote the database.
        StoreUnavailable: The database did not answer, or its folder cannot be made.
    """
    folder = DataFolder(settings.data_dir)
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"the data folder {folder.root} cannot be made: {error.strerror}; remedy: a folder that this user may "
            "write to, by --data-dir or PRICESMITH_DATA_DIR"
        ) from error
    return Store.open(settings.database_url or folder.database_url, clock)
