"""Changes: how far the store has come, so that a process follows what others write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.domain.records import EventType
from agent.store.column_types import from_micros
from agent.store.counters import ERASURES, LATE_SALES
from agent.store.repository import Repository
from agent.store.statements import Statement

_MARKS: Final = Statement.of(
    "SELECT (SELECT max(revision) FROM products), (SELECT max(seq) FROM events), (SELECT max(seq) FROM outcomes), "
    "(SELECT value FROM meta WHERE key = ?), (SELECT value FROM meta WHERE key = ?)"
)
_EVENTS_AFTER: Final = Statement.of(
    "SELECT shopper_id, product_id, at, type FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Last numbers given by the store.

    Attributes:
        revision: Of the last write of a product.
        event, outcome: Of the last event and outcome.
        erasures: Number of erasures of personal data and of removals of wrong rows.
        late_sales: Number of transactions that changed weekly facts of the past.
    """

    revision: int = 0
    event: int = 0
    outcome: int = 0
    erasures: int = 0
    late_sales: int = 0


@dataclass(frozen=True, slots=True)
class EventKey:
    """Shopper, moment and product of an event; the product is that of a sale, None for any other event."""

    shopper_id: str
    at: datetime
    sold: str | None


class ChangeRepository(Repository):
    """Changes since a reader last looked."""

    def marks(self) -> Marks:
        """The last numbers given, of committed writes alone; one short query."""
        with self._db.read() as connection:
            rows = _MARKS.rows(connection, ERASURES, LATE_SALES)
        return Marks(*(int(number or 0) for number in rows[0]))

    def event_keys_after(self, seq: int, most: int) -> Sequence[EventKey]:
        """Keys of the first `most` events numbered above `seq`, in order of arrival."""
        with self._db.read() as connection:
            rows = _EVENTS_AFTER.rows(connection, seq, most)
        return [
            EventKey(shopper_id, from_micros(at), product_id if type == EventType.PURCHASE else None)
            for shopper_id, product_id, at, type in rows
        ]
