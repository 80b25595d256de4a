"""The schema's version: which one a database has, and which one this release wants."""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_VERSION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def newest_version() -> str:
    """The last revision that is packaged here; files are named `rev_<version>_<subject>.py` and follow one another."""
    return max(path.stem.split("_")[1] for path in (MIGRATIONS / "versions").glob("rev_*.py"))


def found_version(connection: Connection) -> str | None:
    """The version of a database's schema, None where it has none yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
