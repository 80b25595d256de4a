"""Brings a database to the newest schema. The revisions are packaged beside this module; there is no alembic.ini."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from agent.store.engine import Database, open_database
from agent.store.errors import StoreError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest revision; does nothing when it is there already.

    Raises:
        StoreError: The database was written by a newer Pricesmith.
    """
    database = open_database(url)
    try:
        upgrade(database)
    finally:
        database.close()


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade in one transaction; processes that start together take turns.

    A schema that is up to date costs a read only, so that a store opens while another process loads data.

    Raises:
        StoreError: This release does not know the revision, or the one that the database has.
    """
    if revision == "head" and _is_newest(database):
        return
    with _locked_config(database) as config:
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to `revision`; "base" is the empty database. Data of the dropped tables is lost."""
    with _locked_config(database) as config:
        command.downgrade(config, revision)


def _is_newest(database: Database) -> bool:
    with database.read() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision == ScriptDirectory(str(_MIGRATIONS)).get_current_head()


@contextmanager
def _locked_config(database: Database) -> Iterator[Config]:
    try:
        with database.write() as connection:
            database.serialise(connection, "migrate")
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            yield config
    except CommandError as error:
        raise StoreError(
            f"the schema cannot be migrated: {error}; remedy: run the Pricesmith version that wrote it, or a newer one"
        ) from error
