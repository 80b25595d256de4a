"""Counters of what changes the past, by which a process notices that memory and caches may be outdated."""

from typing import Final

from sqlalchemy import Connection, select

from agent.store.engine import Database
from agent.store.tables import META

ERASURES: Final = "erasures"
"""Counts erasures of personal data and removals of wrong rows."""
LATE_SALES: Final = "late_sales"
"""Counts transactions that stored sales of weeks before a product's newest: reference prices since then may change."""


def count_up(database: Database, connection: Connection, key: str) -> None:
    """Add 1 to the number under a key, in the caller's transaction."""
    known = connection.execute(select(META.c.value).where(META.c.key == key)).scalar()
    value = str(int(known or 0) + 1)
    statement = database.insert(META).values(key=key, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=[META.c.key], set_={"value": value}))
