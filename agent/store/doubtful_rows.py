"""Stored events and outcomes that today's checks might refuse, and their removal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, or_, select

from agent.domain.plausibility import OLDEST, OVER_REFERENCE, UNDER
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.store.counters import ERASURES, LATE_SALES, count_up
from agent.store.memory_deletion import forget_shoppers
from agent.store.meta import MetaRepository
from agent.store.product_weeks import take_from_weeks
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import EVENTS, OUTCOMES, PRODUCTS

REMOVALS_KEY: Final = "data.removals"
_EVENT: Final = RecordTable(EventRecord, EVENTS)
_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_BATCH: Final = 5_000
_TENTH_LESS: Final = 9  # a reference price of nine times the list price or more may be ten times it


@dataclass(frozen=True, slots=True)
class RemovedRows:
    """Numbers of removed rows; `sales` are those that removed outcomes had implied."""

    events: int
    outcomes: int
    sales: int


class DoubtfulRowRepository(MetaRepository):
    """Rows of events and outcomes by number, to be judged and removed."""

    def doubtful_events(self, latest: datetime) -> Iterator[tuple[int, EventRecord]]:
        """Events with their numbers that may not be true: later than `latest`, or with odd prices.

        These are candidates; `agent.domain.plausibility` judges each.
        """
        odd = _odd(EVENTS, EVENTS.c.list_minor, latest)
        for row in self._paged(_beside_products(EVENTS, _EVENT.columns).where(odd), [EVENTS.c.seq], _BATCH):
            yield row.seq, _EVENT.record(row, start=1)

    def doubtful_outcomes(self, latest: datetime) -> Iterator[tuple[int, OutcomeRecord]]:
        """Outcomes like `doubtful_events`."""
        odd = _odd(OUTCOMES, OUTCOMES.c.reference_minor, latest)
        for row in self._paged(_beside_products(OUTCOMES, _OUTCOME.columns).where(odd), [OUTCOMES.c.seq], _BATCH):
            yield row.seq, _OUTCOME.record(row, start=1)

    def numbered_events(self, numbers: Iterable[int]) -> dict[int, EventRecord]:
        """Events by number; unknown ones are left out."""
        with self._db.read() as connection:
            return _numbered(connection, EVENTS, _EVENT, numbers)

    def numbered_outcomes(self, numbers: Iterable[int]) -> dict[int, OutcomeRecord]:
        """Outcomes by number; unknown ones are left out."""
        with self._db.read() as connection:
            return _numbered(connection, OUTCOMES, _OUTCOME, numbers)

    def remove_rows(self, events: Iterable[int], outcomes: Iterable[int]) -> RemovedRows:
        """Remove events and imported outcomes by number, the sales of these, and all of them from the weekly facts.

        Outcomes of quotes stay, as the audit log commits to them. All or none; indexes made before are then out of
        date, which `REMOVALS_KEY` tells.
        """
        with self._db.write() as connection:
            self._db.serialise(connection, "outcomes")
            self._db.serialise(connection, "events")
            found = _numbered(connection, OUTCOMES, _OUTCOME, outcomes)
            gone = {number: outcome for number, outcome in found.items() if outcome.quote_id is None}
            named = _numbered(connection, EVENTS, _EVENT, events)
            sales = {n: e for n, e in _sales_of(connection, list(gone.values())).items() if n not in named}
            take_from_weeks(connection, [*named.values(), *sales.values()], {*named, *sales})
            for table, numbers in ((OUTCOMES, gone), (EVENTS, {**named, **sales})):
                for some in chunks(numbers, IN_LIMIT):
                    connection.execute(delete(table).where(table.c.seq.in_(some)))
            if gone or named:
                forget_shoppers(self._db, connection, (e.shopper_id for e in (*named.values(), *sales.values())))
                count_up(self._db, connection, LATE_SALES)
                count_up(self._db, connection, REMOVALS_KEY)
                count_up(self._db, connection, ERASURES)  # other processes have them in memory
        return RemovedRows(len(named), len(gone), len(sales))


def _beside_products(table: Table, columns: Sequence[Column[Any]]) -> Any:
    joined = table.outerjoin(PRODUCTS, PRODUCTS.c.product_id == table.c.product_id)
    return select(table.c.seq, *columns).select_from(joined)


def _odd(table: Table, reference: Column[Any], latest: datetime) -> ColumnElement[bool]:
    """Condition that every row meets which `agent.domain.plausibility` doubts, and few others."""
    price, list_minor = table.c.price_minor, PRODUCTS.c.list_minor
    return or_(
        table.c.at > latest,
        table.c.at < OLDEST,
        PRODUCTS.c.currency != table.c.currency,
        price >= OVER_REFERENCE * reference,
        price * UNDER < reference,
        price >= OVER_REFERENCE * list_minor,
        price * UNDER < list_minor,
        reference >= _TENTH_LESS * list_minor,
        reference * UNDER < list_minor,
    )


def _numbered(connection: Connection, table: Table, kind: RecordTable[Any], numbers: Iterable[int]) -> dict[int, Any]:
    query = select(table.c.seq, *kind.columns)
    return {
        row.seq: kind.record(row, start=1)
        for some in chunks(numbers, IN_LIMIT)
        for row in connection.execute(query.where(table.c.seq.in_(some)).order_by(table.c.seq))
    }


def _sales_of(connection: Connection, outcomes: Sequence[OutcomeRecord]) -> dict[int, EventRecord]:
    """Stored sales that outcomes implied: one for each purchase, of its content."""
    wanted: dict[str, list[OutcomeRecord]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.type is OutcomeType.PURCHASED and outcome.shopper_id is not None:
            wanted[outcome.shopper_id].append(outcome)
    found: dict[int, EventRecord] = {}
    for shopper_id, bought in wanted.items():
        here = (EVENTS.c.shopper_id == shopper_id) & EVENTS.c.at.in_({one.at for one in bought})
        query = select(EVENTS.c.seq, *_EVENT.columns).where(here, EVENTS.c.type == EventType.PURCHASE)
        sold = [(row.seq, _EVENT.record(row, start=1)) for row in connection.execute(query.order_by(EVENTS.c.seq))]
        for one in bought:
            number = next((n for n, sale in sold if n not in found and _is_sale_of(sale, one)), None)
            if number is not None:
                found[number] = dict(sold)[number]
    return found


def _is_sale_of(sale: EventRecord, outcome: OutcomeRecord) -> bool:
    told = (sale.product_id, sale.at, sale.quantity, sale.price_minor, sale.currency)
    return told == (outcome.product_id, outcome.at, outcome.quantity, outcome.price_minor, outcome.currency)
