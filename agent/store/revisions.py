"""Runs the schema's revisions with alembic. They are packaged beside this module; there is no alembic.ini."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from agent.store.engine import Database
from agent.store.errors import StoreError
from agent.store.schema_version import MIGRATIONS


def run_upgrade(database: Database, revision: str) -> None:
    """Go up to `revision` in one transaction; processes that start together take turns.

    Raises:
        StoreError: This release does not know the revision, or the one that the database has.
    """
    with _locked_config(database) as config:
        command.upgrade(config, revision)


def run_downgrade(database: Database, revision: str) -> None:
    """Go back to `revision`; "base" is the empty database.

    Raises:
        StoreError: This release does not know the revision, or the one that the database has.
    """
    with _locked_config(database) as config:
        command.downgrade(config, revision)


@contextmanager
def _locked_config(database: Database) -> Iterator[Config]:
    try:
        with database.write() as connection:
            database.serialise(connection, "migrate")
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            yield config
    except CommandError as error:
        raise StoreError(
            f"the schema cannot be migrated: {error}; remedy: run the Pricesmith version that wrote it, or a newer one"
        ) from error
