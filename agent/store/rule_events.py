"""Events of the merchant's rules: append only, numbered without gaps, each in the audit log."""

from typing import Final

from sqlalchemy import Connection, func, insert, select

from agent.domain.records import RuleEvent
from agent.store.audit import AuditLog
from agent.store.audit_entries import rule_entry
from agent.store.rows import RecordTable
from agent.store.tables import RULE_EVENTS

_EVENT: Final = RecordTable(RuleEvent, RULE_EVENTS)


class RuleEventRepository(AuditLog):
    """Events of the merchant's rules."""

    def rule_events(self) -> list[RuleEvent]:
        """All events in order."""
        with self._db.read() as connection:
            query = select(*_EVENT.columns).order_by(RULE_EVENTS.c.seq)
            return [_EVENT.record(row) for row in connection.execute(query)]

    def rule_seq(self) -> int:
        """Number of the latest event; 0 without any."""
        with self._db.read() as connection:
            return _last(connection)

    def append_rule_event(self, event: RuleEvent) -> bool:
        """Append and log an event in one transaction; False, storing nothing, when its number is not the next."""
        with self._db.write() as connection:
            self._db.serialise(connection, "rules")
            if event.seq != _last(connection) + 1:
                return False
            connection.execute(insert(RULE_EVENTS), _EVENT.parameters([event]))
            self._log(connection, [rule_entry(event)])
        return True


def _last(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(RULE_EVENTS.c.seq), 0))).scalar_one())
