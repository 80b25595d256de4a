"""Brings a database to the newest schema."""

from agent.store.engine import Database, open_database
from agent.store.schema_version import found_version, newest_version


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
    from agent.store.revisions import run_upgrade  # alembic loads slowly, and most starts have nothing to upgrade

    run_upgrade(database, revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to `revision`; "base" is the empty database. Data of the dropped tables is lost."""
    from agent.store.revisions import run_downgrade  # alembic loads slowly

    run_downgrade(database, revision)


def _is_newest(database: Database) -> bool:
    with database.read() as connection:
        return found_version(connection) == newest_version()
