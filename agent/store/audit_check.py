"""Verification of the audit log and its subjects: finds every edited, dropped, swapped or inserted row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Integer, RowMapping, Text, cast, select, type_coerce

from agent.domain.records import OutcomeRecord, RuleEvent
from agent.store.audit import AuditLog
from agent.store.audit_entries import decision_entry, outcome_entry, rule_entry
from agent.store.chain import (
    START,
    AuditKind,
    Entry,
    Head,
    Link,
    content_sha256,
    link_sha256,
    personal_hmac,
)
from agent.store.codec import EncodedDecision, decode_decision
from agent.store.errors import StoreError
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import AUDIT, DECISIONS, OUTCOMES, RULE_EVENTS

CheckSeal = Callable[[bytes, str], bool]

_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_RULE: Final = RecordTable(RuleEvent, RULE_EVENTS)
_COLUMNS: Final = ("at", "product_id", "price_minor", "reference_minor", "currency", "source", "rung")
_DECISIONS: Final = select(DECISIONS, type_coerce(DECISIONS.c.personalised, Integer).label("stored_personalised"))
_SHOWN: Final = 100  # problems listed one by one


@dataclass(slots=True)
class AuditReport:
    """Result of a verification.

    Attributes:
        rows: Number of rows in the log.
        erased: Rows whose personal part was erased.
        head: The head as stored.
        sealed: Whether the head bears a valid signature of the service.
        problems: Empty when the log is intact.
    """

    rows: int = 0
    erased: int = 0
    head: Head = START
    sealed: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


class AuditRepository(AuditLog):
    """Verifies the log against the stored decisions, outcomes and rule events."""

    def audit_report(
        self, check_seal: CheckSeal, *, known_head: Head | None = None, on_rows: Callable[[int], None] | None = None
    ) -> AuditReport:
        """Verify the whole log.

        Args:
            check_seal: Verifies a signature over a message.
            known_head: A head kept elsewhere, which the log must still contain.
            on_rows: Called with the number of rows checked.
        """
        check = _ChainCheck()
        try:
            for links in chunks(self.audit_links(), IN_LIMIT):
                entries = self._entries(links)
                for link in links:
                    check.step(link, entries.get((link.kind, link.subject)), known_head)
                if on_rows is not None:
                    on_rows(check.report.rows)
        except (LookupError, TypeError, ValueError):
            check.report.problems.append(
                f"one of the {IN_LIMIT:,} rows after row {check.report.rows} cannot be read: it was changed"
            )
            return check.report
        report = check.finish(self.audit_head(), check_seal, known_head)
        for kind, subject in self._unlogged():
            report.problems.append(
                f"{kind} {subject} is stored but not logged: it was inserted, or its row was dropped"
            )
        return report

    def _entries(self, links: list[Link]) -> Mapping[tuple[AuditKind, str], Entry | str]:
        """Entries of the links' subjects as stored; a text says what is wrong with one."""
        found: dict[tuple[AuditKind, str], Entry | str] = {}
        decisions = [link.subject for link in links if link.kind is AuditKind.DECISION]
        outcomes = [link.subject for link in links if link.kind is AuditKind.OUTCOME]
        rules = [int(link.subject) for link in links if link.kind is AuditKind.RULE and link.subject.isdigit()]
        with self._db.read() as connection:
            for row in connection.execute(_DECISIONS.where(DECISIONS.c.id.in_(decisions))):
                found[AuditKind.DECISION, row.id] = _contradiction(row._mapping) or decision_entry(
                    row.id, row.body, row.personal
                )
            query = select(*_OUTCOME.columns).where(OUTCOMES.c.outcome_id.in_(outcomes))
            for row in connection.execute(query):
                record = _OUTCOME.record(row)
                found[AuditKind.OUTCOME, record.outcome_id] = outcome_entry(record)
            for row in connection.execute(select(*_RULE.columns).where(RULE_EVENTS.c.seq.in_(rules))):
                event = _RULE.record(row)
                found[AuditKind.RULE, str(event.seq)] = rule_entry(event)
        return found

    def _unlogged(self) -> Iterator[tuple[AuditKind, str]]:
        for kind, table, key, ours in (
            (AuditKind.DECISION, DECISIONS, DECISIONS.c.id, DECISIONS.c.id.is_not(None)),
            (AuditKind.OUTCOME, OUTCOMES, OUTCOMES.c.outcome_id, OUTCOMES.c.quote_id.is_not(None)),
            (AuditKind.RULE, RULE_EVENTS, cast(RULE_EVENTS.c.seq, Text), RULE_EVENTS.c.seq.is_not(None)),
        ):
            logged = (AUDIT.c.kind == kind) & (AUDIT.c.subject == key)
            query = (
                select(key).select_from(table.outerjoin(AUDIT, logged)).where(ours, AUDIT.c.seq.is_(None)).limit(_SHOWN)
            )
            with self._db.read() as connection:
                for row in connection.execute(query):
                    yield kind, row[0]


class _ChainCheck:
    """One pass over the rows, in order."""

    def __init__(self) -> None:
        self.report = AuditReport()
        self._blank: dict[str, int] = {}
        self._erasures: set[str] = set()
        self._more = 0

    def step(self, link: Link, stored: Entry | str | None, known: Head | None) -> None:
        report = self.report
        if link.seq != report.head.seq + 1:
            self._add(f"row {report.head.seq + 1} is missing: the next one is row {link.seq}")
        elif link.link_sha256 != link_sha256(link, report.head):
            self._add(f"row {link.seq} ({link.kind} {link.subject}) was changed, or rows before it were swapped")
        if known is not None and link.seq == known.seq and link.link_sha256 != known.link_sha256:
            self._add(f"row {link.seq} differs from the head kept elsewhere: the log was rewritten")
        if link.kind is AuditKind.ERASURE:
            self._erasures.add(link.subject)
        else:
            self._subject(link, stored)
        report.rows += 1
        report.head = Head(link.seq, link.link_sha256)

    def finish(self, stored: Head, check_seal: CheckSeal, known: Head | None) -> AuditReport:
        report = self.report
        for subject, seq in self._blank.items():
            if subject in self._erasures:
                report.erased += 1
            else:
                self._add(f"row {seq} ({subject}): its personal part is missing, and no erasure was logged")
        if (stored.seq, stored.link_sha256) != (report.head.seq, report.head.link_sha256):
            self._add(
                f"the log ends at row {report.head.seq}, its head is row {stored.seq}: rows at its end were dropped"
            )
        if stored.seal:
            report.sealed = check_seal(stored.message(), stored.seal)
            if not report.sealed:
                self._add(f"the head at row {stored.seq} has no valid signature of the service")
        if known is not None and known.seq > report.head.seq:
            self._add(
                f"the log ends at row {report.head.seq}, the head kept elsewhere is row {known.seq}: rows were dropped"
            )
        report.head = stored
        if self._more:
            report.problems.append(f"and {self._more} more")
        return report

    def _subject(self, link: Link, stored: Entry | str | None) -> None:
        name = f"row {link.seq}: {link.kind} {link.subject}"
        if stored is None:
            self._add(f"{name} is missing")
        elif isinstance(stored, str):
            self._add(f"{name}: {stored}")
        elif content_sha256(stored.content) != link.content_sha256:
            self._add(f"{name} was changed")
        elif link.personal_hmac is not None and (link.salt is None or stored.personal is None):
            if link.salt is not None or stored.personal is not None:
                self._add(f"{name}: its personal part was changed")
            self._blank[f"{link.kind}:{link.subject}"] = link.seq
        elif (link.personal_hmac is None) != (stored.personal is None) or (
            link.salt is not None and personal_hmac(link.salt, stored.personal or b"") != link.personal_hmac
        ):
            self._add(f"{name}: its personal part was changed")

    def _add(self, problem: str) -> None:
        if len(self.report.problems) < _SHOWN:
            self.report.problems.append(problem)
        else:
            self._more += 1


def _contradiction(row: RowMapping) -> str | None:
    """Columns of a decision that contradict its body, in words; None when all agree."""
    try:
        decision = decode_decision(EncodedDecision(row["body"], row["personal"]))
    except StoreError:
        return "cannot be read: it was changed"
    wrong = [name for name in _COLUMNS if row[name] != getattr(decision, name)]
    if row["stored_personalised"] != int(decision.personalised):  # SQLite stores any number; all but 0 are true
        wrong.append("personalised")
    if row["lever"] != decision.strategy.lever:
        wrong.append("lever")
    if row["shopper_id"] != decision.shopper_id:
        wrong.append("shopper_id")
    return f"{', '.join(wrong)} was changed" if wrong else None
