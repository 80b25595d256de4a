"""Outcomes of offers: append only, idempotent."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Row,
    Text,
    bindparam,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from agent.domain.records import Attribute, EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.store.audit import AuditLog
from agent.store.audit_entries import outcome_entry
from agent.store.counters import LATE_SALES, count_up
from agent.store.event_deduplication import insert_events, insert_new_sales
from agent.store.live_quotes import end_live_quotes
from agent.store.product_weeks import WeekOf, add_weeks, any_late, weeks_of
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import OUTCOMES

_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_BATCH: Final = 10_000
# Statements for every posted outcome are built once: building one takes as long as running it.
_SINCE: Final = (
    select(OUTCOMES.c.seq, *_OUTCOME.columns)
    .where(OUTCOMES.c.seq > bindparam("after"))
    .order_by(OUTCOMES.c.seq)
    .limit(_BATCH)
)
_OF_QUOTES_SINCE: Final = _SINCE.where(OUTCOMES.c.quote_id.is_not(None))
_LINES: Final = OUTCOMES.c.outcome_id.like("import-%")  # SQLite compares so only without its index
_AMONG: Final[BindParameter[Sequence[str]]] = bindparam("ids", expanding=True)
_KNOWN: Final = select(OUTCOMES.c.outcome_id).where(OUTCOMES.c.outcome_id.in_(_AMONG))
_COMPLETED: Final = (
    update(OUTCOMES)
    .where(OUTCOMES.c.outcome_id == bindparam("id"), OUTCOMES.c.quote_id.is_(None))
    .values(returned=bindparam("was_returned"), rating=bindparam("now_rated"))
)
_SHOPPERS: Final = select(OUTCOMES.c.shopper_id).where(OUTCOMES.c.shopper_id.in_(_AMONG)).distinct()
_BY_QUOTE: Final = select(*_OUTCOME.columns).where(OUTCOMES.c.quote_id.in_(_AMONG)).order_by(OUTCOMES.c.seq)

EventOf = Callable[[OutcomeRecord], EventRecord | None]
"""The purchase or decline that an outcome adds to the history of its shopper; None for one that adds none."""


@dataclass(frozen=True, slots=True)
class OfferSituation:
    """Profile and context of an imported outcome, as in `OutcomeRecord`."""

    profile: Mapping[str, Attribute]
    context: Mapping[str, Attribute]


class OutcomeRepository(AuditLog):
    """Outcomes of quotes, and of offers made elsewhere."""

    def record_outcomes(
        self,
        records: Sequence[OutcomeRecord],
        event_of: EventOf | None = None,
        week_of: WeekOf | None = None,
    ) -> list[EventRecord]:
        """Append the new ones among some outcomes, in order, all or none; returns the sales that were new.

        In the same transaction the events that `event_of` makes of new outcomes are appended, so that a crash leaves an
        outcome with its event or neither. A purchase ends the live quote of its shopper and product. Outcomes of quotes
        are logged for audit, those of offers made elsewhere are not.
        """
        if not records:
            return []
        with self._db.write() as connection:
            self._db.serialise(connection, "outcomes")  # otherwise row numbers could become visible out of order
            return self._append(connection, _fresh(connection, records), event_of, week_of)

    def record_sequences(
        self,
        quote_ids: Iterable[str],
        check: Callable[[Mapping[str, Sequence[OutcomeRecord]]], Sequence[OutcomeRecord]],
        event_of: EventOf,
        week_of: WeekOf,
    ) -> list[EventRecord]:
        """Append the outcomes that `check` makes of those stored of some quotes; returns the sales that were new.

        `check` runs inside the transaction, so that of two reports at once the second one finds the first.
        """
        with self._db.write() as connection:
            self._db.serialise(connection, "outcomes")
            return self._append(connection, check(_by_quote(connection, quote_ids)), event_of, week_of)

    def _append(
        self,
        connection: Connection,
        fresh: Sequence[OutcomeRecord],
        event_of: EventOf | None,
        week_of: WeekOf | None,
    ) -> list[EventRecord]:
        if not fresh:
            return []
        connection.execute(insert(OUTCOMES), _OUTCOME.parameters(fresh))
        told = [] if event_of is None else [(one, event) for one in fresh if (event := event_of(one)) is not None]
        declines = [event for _, event in told if event.type is EventType.DECLINE]
        sold = insert_new_sales(self._db, connection, [one for one in told if one[1].type is EventType.PURCHASE])
        insert_events(self._db, connection, declines)
        weeks = weeks_of(sold, week_of)
        if any_late(connection, weeks):
            count_up(self._db, connection, LATE_SALES)
        add_weeks(self._db, connection, weeks)
        ours = [record for record in fresh if record.quote_id is not None]
        self._log(connection, [outcome_entry(record) for record in ours])
        end_live_quotes(connection, {pair for record in ours if (pair := _bought(record)) is not None})
        return sold

    def complete_outcomes(self, records: Sequence[OutcomeRecord]) -> int:
        """Store what became known of imported outcomes since: returns and ratings; returns how many rows changed.

        What a record does not tell stays as it is stored.
        """
        told = {one.outcome_id: one for one in records if one.returned is not None or one.rating is not None}
        if not told:
            return 0
        columns = (OUTCOMES.c.outcome_id, OUTCOMES.c.returned, OUTCOMES.c.rating)
        changes: list[dict[str, object]] = []
        with self._db.write() as connection:
            for ids in chunks(told, IN_LIMIT):
                for row in connection.execute(select(*columns).where(OUTCOMES.c.outcome_id.in_(ids))):
                    one = told[row.outcome_id]
                    returned = row.returned if one.returned is None else one.returned
                    rating = row.rating if one.rating is None else one.rating
                    if (returned, rating) != (row.returned, row.rating):
                        changes.append({"id": row.outcome_id, "was_returned": returned, "now_rated": rating})
            if changes:
                connection.execute(_COMPLETED, changes)
        return len(changes)

    def known_outcomes(self, outcome_ids: Sequence[str]) -> set[str]:
        """The stored ones among some ids."""
        with self._db.read() as connection:
            return {
                row.outcome_id
                for ids in chunks(outcome_ids, IN_LIMIT)
                for row in connection.execute(_KNOWN, {"ids": ids})
            }

    def outcomes_by_line(self) -> Iterator[OutcomeRecord]:
        """Outcomes that earlier releases imported under ids from the lines of their files, in order of arrival."""
        named = OUTCOMES.c.outcome_id.op("GLOB")("import-*") if self._db.is_sqlite else _LINES
        query = select(OUTCOMES.c.seq, *_OUTCOME.columns).where(named, OUTCOMES.c.quote_id.is_(None))
        with self._db.read() as connection:
            if connection.execute(select(OUTCOMES.c.seq).where(named).limit(1)).first() is None:
                return
        for row in self._paged(query, [OUTCOMES.c.seq], _BATCH):
            yield _OUTCOME.record(row, start=1)

    def outcomes_since(
        self, seq: int, *, of_quotes: bool = False, not_before: datetime | None = None
    ) -> Iterator[tuple[int, OutcomeRecord]]:
        """Outcomes numbered above `seq`, each with its number, in order of arrival and without gaps.

        `of_quotes` leaves out offers made elsewhere, `not_before` outcomes from before a moment.
        """
        query = _OF_QUOTES_SINCE if of_quotes else _SINCE
        if not_before is not None:
            query = query.where(OUTCOMES.c.at >= not_before)
        while True:
            with self._db.read() as connection:
                rows = connection.execute(query, {"after": seq}).all()
            for row in rows:
                yield row.seq, _OUTCOME.record(row, start=1)
            if len(rows) < _BATCH:
                return
            seq = rows[-1].seq

    def shoppers_with_outcomes(self, shopper_ids: Iterable[str]) -> set[str]:
        """Those among some shoppers whom an outcome names."""
        with self._db.read() as connection:
            return {
                row.shopper_id
                for ids in chunks(shopper_ids, IN_LIMIT)
                for row in connection.execute(_SHOPPERS, {"ids": ids})
            }

    def last_outcome(self) -> int:
        """Number of the latest outcome; 0 without any."""
        with self._db.read() as connection:
            return connection.execute(select(func.max(OUTCOMES.c.seq))).scalar_one_or_none() or 0

    def newest_since(self, seq: int, count: int) -> datetime | None:
        """Time of the `count`-th newest outcome numbered above `seq`, counted from 0; None when there are fewer."""
        query = select(OUTCOMES.c.at).where(OUTCOMES.c.seq > seq).order_by(OUTCOMES.c.at.desc()).offset(count).limit(1)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def outcome_columns(self, batch: int = 50_000) -> Iterator[Sequence[Row[Any]]]:
        """Columns of all outcomes for training, in batches, in order of arrival; times in microseconds."""
        names = ("seq", "shopper_id", "product_id", "currency", "price_minor", "reference_minor", "quote_id", "weight")
        columns = [*(OUTCOMES.c[name] for name in (*names, "propensity", "cost_minor", "returned", "rating"))]
        plain = [type_coerce(OUTCOMES.c.at, BigInteger).label("at"), type_coerce(OUTCOMES.c.type, Text).label("type")]
        query = select(*columns, *plain).order_by(OUTCOMES.c.seq).limit(batch)
        seq = 0
        while True:
            with self._db.read() as connection:
                rows = connection.execute(query.where(OUTCOMES.c.seq > seq)).all()
            if rows:
                yield rows
                seq = rows[-1].seq
            if len(rows) < batch:
                return

    def situations_of(self, seqs: Sequence[int]) -> dict[int, OfferSituation]:
        """Profiles and contexts of imported outcomes that have any, by number."""
        columns = (OUTCOMES.c.seq, OUTCOMES.c.profile, OUTCOMES.c.context)
        described = OUTCOMES.c.profile.is_not(None) | OUTCOMES.c.context.is_not(None)
        with self._db.read() as connection:
            return {
                row.seq: OfferSituation(row.profile or {}, row.context or {})
                for some in chunks(seqs, IN_LIMIT)
                for row in connection.execute(select(*columns).where(OUTCOMES.c.seq.in_(some) & described))
            }

    def outcome(self, outcome_id: str) -> OutcomeRecord | None:
        """An outcome by its id; None when unknown."""
        query = select(*_OUTCOME.columns).where(OUTCOMES.c.outcome_id == outcome_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _OUTCOME.record(row)

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        """Outcomes of a quote, in order of arrival."""
        return self.outcomes_by_quote([quote_id]).get(quote_id, [])

    def outcomes_by_quote(self, quote_ids: Iterable[str]) -> dict[str, list[OutcomeRecord]]:
        """Outcomes of quotes, in order of arrival; quotes without any are left out."""
        with self._db.read() as connection:
            return _by_quote(connection, quote_ids)


def _by_quote(connection: Connection, quote_ids: Iterable[str]) -> dict[str, list[OutcomeRecord]]:
    found: dict[str, list[OutcomeRecord]] = defaultdict(list)
    for ids in chunks(dict.fromkeys(quote_ids), IN_LIMIT):
        for row in connection.execute(_BY_QUOTE, {"ids": ids}):
            record = _OUTCOME.record(row)
            found[record.quote_id or ""].append(record)
    return dict(found)


def _bought(record: OutcomeRecord) -> tuple[str, str] | None:
    if record.type is not OutcomeType.PURCHASED or record.shopper_id is None or record.product_id is None:
        return None
    return record.shopper_id, record.product_id


def _fresh(connection: Connection, records: Sequence[OutcomeRecord]) -> list[OutcomeRecord]:
    """Outcomes that are not stored yet, the first of each id."""
    known = {
        row.outcome_id
        for ids in chunks([record.outcome_id for record in records], IN_LIMIT)
        for row in connection.execute(select(OUTCOMES.c.outcome_id).where(OUTCOMES.c.outcome_id.in_(ids)))
    }
    first: dict[str, OutcomeRecord] = {}
    for record in records:
        if record.outcome_id not in known:
            first.setdefault(record.outcome_id, record)
    return list(first.values())
