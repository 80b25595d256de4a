"""Export, erasure and retention of personal data."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, delete, select, update

from agent.domain.clock import StoreClock
from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord
from agent.store.audit import AuditLog
from agent.store.chain import AuditKind, Entry
from agent.store.changes import ERASURES
from agent.store.codec import EncodedDecision, decode_decision, decode_request
from agent.store.live_quotes import LiveQuoteRepository
from agent.store.meta import count_up
from agent.store.rows import IN_LIMIT, RecordTable, chunks, stored_forms
from agent.store.tables import AUDIT, DECISIONS, EVENTS, IDEMPOTENCY, JOBS, LIVE_QUOTES, OUTCOMES, SHOPPERS

_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BATCH: Final = 500
_ANONYMOUS: Final = {"shopper_id": None, "profile": None, "context": None}
_SHORT: Final = 2


@dataclass(frozen=True, slots=True)
class Erased:
    """Numbers of rows deleted or stripped of personal data; `answers` are those kept under idempotency keys."""

    profile: int
    events: int
    decisions: int
    outcomes: int
    answers: int

    @property
    def anything(self) -> bool:
        """Whether any row was affected."""
        return any((self.profile, self.events, self.decisions, self.outcomes, self.answers))


class ErasureRepository(AuditLog, LiveQuoteRepository):
    """Personal data in all tables."""

    def decisions_of(self, shopper_id: str) -> Iterator[tuple[Decision, dict[str, JsonValue] | None]]:
        """A shopper's decisions with their requests, oldest first."""
        query = select(DECISIONS.c.at, DECISIONS.c.id, DECISIONS.c.body, DECISIONS.c.personal)
        query = query.where(DECISIONS.c.shopper_id.in_(stored_forms(shopper_id)))
        for row in self._paged(query, [DECISIONS.c.at, DECISIONS.c.id], _BATCH):
            encoded = EncodedDecision(row.body, row.personal)
            request = decode_request(encoded)
            yield decode_decision(encoded), None if request is None else dict(request)

    def outcomes_by(self, shopper_id: str) -> list[OutcomeRecord]:
        """A shopper's outcomes, imported ones too, in order of arrival."""
        mine = OUTCOMES.c.shopper_id.in_(stored_forms(shopper_id))
        query = select(*_OUTCOME.columns).where(mine).order_by(OUTCOMES.c.seq)
        with self._db.read() as connection:
            return [_OUTCOME.record(row) for row in connection.execute(query)]

    def erase_shopper(self, shopper_id: str) -> Erased:
        """Erase a shopper's data in one transaction; prices and sales stay, without the shopper.

        The audit log records that rows were erased, not whose.
        """
        with self._db.write() as connection:
            self._db.serialise(connection, "audit")
            forms = stored_forms(shopper_id)
            decisions = _ids(connection, DECISIONS.c.id, DECISIONS.c.shopper_id.in_(forms))
            outcomes = _ids(connection, OUTCOMES.c.outcome_id, OUTCOMES.c.shopper_id.in_(forms))
            answers = _delete_answers(connection, shopper_id, set(decisions))
            self._erase_personal(connection, decisions, outcomes)
            profile = connection.execute(delete(SHOPPERS).where(SHOPPERS.c.shopper_id == shopper_id)).rowcount
            events = connection.execute(delete(EVENTS).where(EVENTS.c.shopper_id == shopper_id)).rowcount
            connection.execute(delete(LIVE_QUOTES).where(LIVE_QUOTES.c.shopper_id.in_(forms)))
            _forget_in_reports(connection, shopper_id)
            count_up(self._db, connection, ERASURES)  # other processes may have it in memory
        self.forget_live_quotes()
        self._db.shrink_log()
        return Erased(profile, events, len(decisions), len(outcomes), answers)

    def erase_before(self, moment: datetime, clock: StoreClock) -> Erased:
        """Erase events, and the personal parts of decisions and outcomes, from before a moment.

        Profiles, consent, prices and sales stay. `clock` maps the moment to the calendar of events and of the outcomes
        of a demo history.
        """
        behaved = clock.shifted(moment)
        happened = OUTCOMES.c.at < behaved
        if clock.history_end is not None:
            happened |= (OUTCOMES.c.at > clock.history_end) & (OUTCOMES.c.at < moment)
        with self._db.write() as connection:
            self._db.serialise(connection, "audit")
            old = (DECISIONS.c.at < moment) & DECISIONS.c.personal.is_not(None)
            decisions = _ids(connection, DECISIONS.c.id, old)
            past = happened & OUTCOMES.c.shopper_id.is_not(None)
            outcomes = _ids(connection, OUTCOMES.c.outcome_id, past)
            self._erase_personal(connection, decisions, outcomes)
            events = connection.execute(delete(EVENTS).where(EVENTS.c.at < behaved)).rowcount
            connection.execute(delete(LIVE_QUOTES).where(LIVE_QUOTES.c.valid_until < moment))
            answers = connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.started_at < moment)).rowcount
            connection.execute(delete(JOBS).where(JOBS.c.ended_at < moment))  # reports quote rows of files
            if decisions or outcomes or events:
                count_up(self._db, connection, ERASURES)  # other processes may have it in memory
        self.forget_live_quotes()
        self._db.shrink_log()
        return Erased(0, events, len(decisions), len(outcomes), answers)

    def _erase_personal(self, connection: Connection, decisions: Sequence[str], outcomes: Sequence[str]) -> None:
        """Delete personal parts and their salts, and log the erasures."""
        logged = []
        for kind, subjects in ((AuditKind.DECISION, decisions), (AuditKind.OUTCOME, outcomes)):
            for ids in chunks(subjects, IN_LIMIT):
                salted = (AUDIT.c.kind == kind) & AUDIT.c.subject.in_(ids) & AUDIT.c.salt.is_not(None)
                logged += [f"{kind}:{subject}" for subject in _ids(connection, AUDIT.c.subject, salted)]
                connection.execute(update(AUDIT).where(salted).values(salt=None))
        for ids in chunks(decisions, IN_LIMIT):
            connection.execute(update(DECISIONS).where(DECISIONS.c.id.in_(ids)).values(shopper_id=None, personal=None))
        for ids in chunks(outcomes, IN_LIMIT):
            connection.execute(update(OUTCOMES).where(OUTCOMES.c.outcome_id.in_(ids)).values(**_ANONYMOUS))
        self._log(connection, [Entry(AuditKind.ERASURE, subject, b"") for subject in logged])


def _ids(connection: Connection, column: ColumnElement[str], where: ColumnElement[bool]) -> list[str]:
    return [row[0] for row in connection.execute(select(column).where(where))]


def _delete_answers(connection: Connection, shopper_id: str, decisions: set[str]) -> int:
    """Delete stored answers that name the shopper or a decision, and those whose idempotency key names the shopper."""
    named, keyed = _patterns(shopper_id)
    ids = {decision.encode() for decision in decisions}

    def names(body: bytes | None) -> bool:
        return body is not None and (named.search(body) is not None or not ids.isdisjoint(_UUID.findall(body)))

    naming = [
        (row.key_id, row.idem_key)
        for row in connection.execute(select(IDEMPOTENCY))
        if names(None if row.body is None else bytes(row.body)) or keyed.search(row.idem_key)
    ]
    for key_id, idem_key in naming:
        connection.execute(
            delete(IDEMPOTENCY).where(IDEMPOTENCY.c.key_id == key_id, IDEMPOTENCY.c.idem_key == idem_key)
        )
    return len(naming)


def _forget_in_reports(connection: Connection, shopper_id: str) -> None:
    """Strip reports of ended jobs that name the shopper: counts stay, and what was quoted from the file goes."""
    quoted = {json.dumps(shopper_id, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)}
    named = re.compile("|".join(map(_word, map(re.escape, sorted(quoted)))))
    reports = select(JOBS.c.job_id, JOBS.c.options, JOBS.c.result, JOBS.c.problem).where(JOBS.c.ended_at.is_not(None))
    for row in connection.execute(reports).all():
        naming = {name for name in ("options", "result", "problem") if named.search(row._mapping[name] or "")}
        if naming:
            values = {name: _without_texts(row._mapping[name], named) for name in naming}
            connection.execute(update(JOBS).where(JOBS.c.job_id == row.job_id).values(values))


def _without_texts(document: str, named: re.Pattern[str]) -> str:
    """The numbers of a JSON object, and those of its texts that do not name the shopper."""
    kept = {
        name: value
        for name, value in json.loads(document).items()
        if isinstance(value, int | float | str) and not named.search(json.dumps(value, ensure_ascii=False))
    }
    return json.dumps({**kept, "erased": True})


def _patterns(shopper_id: str) -> tuple[re.Pattern[bytes], re.Pattern[str]]:
    """Patterns of a shopper's id in an answer (as an id, as a fact, as a word of an explanation) and in a key.

    Ids of one or two characters are not looked for in keys: they would match unrelated keys, whose requests could then
    be carried out twice.
    """
    quoted = {json.dumps(shopper_id, ensure_ascii=ascii_only).encode() for ascii_only in (False, True)}
    inner = "|".join(re.escape(one[1:-1].decode()) for one in quoted)
    explained = rf'"answer":"(?:[^"\\]|\\.)*?{_word(inner)}'
    whole = rf'"(?:shopper_id|value)":(?:{"|".join(re.escape(one.decode()) for one in quoted)})'
    key = _word(re.escape(shopper_id)) if len(shopper_id) > _SHORT else r"(?!)"
    return re.compile(f"{whole}|{explained}".encode()), re.compile(key)


def _word(pattern: str) -> str:
    return rf"(?<![^\W_])(?:{pattern})(?![^\W_])"
