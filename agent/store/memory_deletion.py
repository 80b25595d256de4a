"""Deletion of shopper memory, in the transactions that erase what it rests on."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete

from agent.store.engine import Database
from agent.store.rows import IN_LIMIT, chunks
from agent.store.tables import SHOPPER_MEMORY

MEMORY_LOCK: Final = "shopper_memory"
"""Held by those who delete and those who write, so that a writer sees every erasure before its own commit."""

_MEMORY: Final = SHOPPER_MEMORY.c


def forget_shoppers(database: Database, connection: Connection, shopper_ids: Iterable[str]) -> None:
    """Delete what is kept of shoppers, in the caller's transaction."""
    database.serialise(connection, MEMORY_LOCK)
    for ids in chunks(sorted(set(shopper_ids)), IN_LIMIT):
        connection.execute(delete(SHOPPER_MEMORY).where(_MEMORY.shopper_id.in_(ids)))


def forget_first_before(database: Database, connection: Connection, moment: datetime) -> None:
    """Delete what rests on events from before a moment of the behaviour clock, in the caller's transaction."""
    database.serialise(connection, MEMORY_LOCK)
    connection.execute(delete(SHOPPER_MEMORY).where(_MEMORY.first_at < moment))
