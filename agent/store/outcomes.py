"""Outcomes: what followed an offer. Append only, idempotent."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import select

from agent.records import OutcomeRecord
from agent.store.rows import IN_LIMIT, RecordTable, Repository, chunks
from agent.store.tables import OUTCOMES

_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_BATCH: Final = 10_000


class OutcomeRepository(Repository):
    """What became of offers."""

    def record_outcomes(self, records: Sequence[OutcomeRecord]) -> None:
        """Append in the given order, all or none. An `outcome_id` that is stored already is left as it is."""
        rows = _OUTCOME.parameters(records)
        if not rows:
            return
        statement = self._db.insert(OUTCOMES).on_conflict_do_nothing(index_elements=[OUTCOMES.c.outcome_id])
        with self._db.write() as connection:
            self._db.serialise(connection, "outcomes")  # or numbers could become visible out of order
            connection.execute(statement, rows)

    def known_outcomes(self, outcome_ids: Sequence[str]) -> set[str]:
        """Those of the ids that are stored."""
        with self._db.read() as connection:
            return {
                row.outcome_id
                for ids in chunks(outcome_ids, IN_LIMIT)
                for row in connection.execute(select(OUTCOMES.c.outcome_id).where(OUTCOMES.c.outcome_id.in_(ids)))
            }

    def outcomes_since(self, seq: int) -> Iterator[tuple[int, OutcomeRecord]]:
        """Outcomes numbered above `seq` in the order of arrival, each with its number. None is ever skipped."""
        query = select(OUTCOMES.c.seq, *_OUTCOME.columns)
        for row in self._paged(query, [OUTCOMES.c.seq], _BATCH, start=[seq]):
            yield row.seq, _OUTCOME.record(row, start=1)

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        """All outcomes of one quote in the order of arrival."""
        query = select(*_OUTCOME.columns).where(OUTCOMES.c.quote_id == quote_id).order_by(OUTCOMES.c.seq)
        with self._db.read() as connection:
            return [_OUTCOME.record(row) for row in connection.execute(query)]
