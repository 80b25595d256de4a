"""Changes: how far the store has come, so that a process follows what others write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, func, select, type_coerce

from agent.domain.records import EventType
from agent.store.counters import ERASURES, LATE_SALES
from agent.store.repository import Repository
from agent.store.tables import EVENTS, META, OUTCOMES, PRODUCTS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Built once: asked several times a second, and after every posted event.
_MARKS: Final = select(
    select(func.max(PRODUCTS.c.revision)).scalar_subquery(),
    select(func.max(EVENTS.c.seq)).scalar_subquery(),
    select(func.max(OUTCOMES.c.seq)).scalar_subquery(),
    select(cast(META.c.value, Integer)).where(META.c.key == ERASURES).scalar_subquery(),
    select(cast(META.c.value, Integer)).where(META.c.key == LATE_SALES).scalar_subquery(),
)
_EVENTS_AFTER: Final = (
    select(
        EVENTS.c.shopper_id,
        EVENTS.c.product_id,
        type_coerce(EVENTS.c.at, BigInteger).label("at_us"),
        type_coerce(EVENTS.c.type, Text).label("type"),
    )
    .where(EVENTS.c.seq > bindparam("after"))
    .order_by(EVENTS.c.seq)
    .limit(bindparam("most", type_=Integer))
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
            return Marks(*(number or 0 for number in connection.execute(_MARKS).one()))

    def event_keys_after(self, seq: int, most: int) -> Sequence[EventKey]:
        """Keys of the first `most` events numbered above `seq`, in order of arrival."""
        with self._db.read() as connection:
            rows = connection.execute(_EVENTS_AFTER, {"after": seq, "most": most}).all()
        return [_key(row) for row in rows]


def _key(row: Any) -> EventKey:
    sold = row.product_id if row.type == EventType.PURCHASE else None
    return EventKey(row.shopper_id, _EPOCH + timedelta(microseconds=row.at_us), sold)
