"""Key-value pairs about the store itself, such as when the demo data was prepared."""

from sqlalchemy import select

from agent.store.repository import Repository
from agent.store.tables import META


class MetaRepository(Repository):
    """Key-value pairs, both text."""

    def meta(self, key: str) -> str | None:
        """A value; None when it was never set."""
        with self._db.read() as connection:
            return connection.execute(select(META.c.value).where(META.c.key == key)).scalar_one_or_none()

    def set_meta(self, key: str, value: str) -> None:
        """Set or replace a value."""
        statement = self._db.insert(META).values(key=key, value=value)
        statement = statement.on_conflict_do_update(index_elements=[META.c.key], set_={"value": value})
        with self._db.write() as connection:
            connection.execute(statement)
