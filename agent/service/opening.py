"""Opens the store that the settings name, without loading models or indexes."""

from agent.domain.clock import Clock
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder


def open_store(settings: Settings, clock: Clock | None = None) -> Store:
    """The store of one merchant, made where there is none; its schema is brought up to date.

    Raises:
        StoreError: The address is not supported, or a newer Pricesmith wrote the database.
        StoreUnavailable: The database did not answer, or its folder cannot be made.
    """
    folder = DataFolder(settings.data_dir)
    folder.root.mkdir(parents=True, exist_ok=True)
    return Store.open(settings.database_url or folder.database_url, clock)
