"""Whether the log, and what it tells of, is what was written: every edit, drop, swap or insertion shows."""

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
_SHOWN: Final = 100  # problems that are told one by one


@dataclass(slots=True)
class AuditReport:
    """What a walk along the log found. `problems` is empty when all is well; `erased` rows tell of no shopper any more.

    `sealed` says whether the head bears the service's signature.
    """

    rows: int = 0
    erased: int = 0
    head: Head = START
    sealed: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


class AuditRepository(AuditLog):
    """Reads the log and everything that it tells of."""

    def audit_report(
        self, check_seal: CheckSeal, *, known_head: Head | None = None, on_rows: Callable[[int], None] | None = None
    ) -> AuditReport:
        """Walk along the whole log.

        Args:
            check_seal: Whether a signature is the service's, over a message.
            known_head: A head that was kept elsewhere: the log must hold it and may only have grown since.
            on_rows: Told the number of rows seen.
        """
        walk = _Walk()
        try:
            for links in chunks(self.audit_links(), IN_LIMIT):
                entries = self._entries(links)
                for link in links:
                    walk.step(link, entries.get((link.kind, link.subject)), known_head)
                if on_rows is not None:
                    on_rows(walk.report.rows)
        except (LookupError, TypeError, ValueError):
            walk.report.problems.append(
                f"among the {IN_LIMIT:,} rows behind row {walk.report.rows} something cannot be read: it was changed"
            )
            return walk.report
        report = walk.finish(self.audit_head(), check_seal, known_head)
        for kind, subject in self._unlogged():
            report.problems.append(f"{kind} {subject} is stored and was never logged: inserted, or its row was dropped")
        return report

    def _entries(self, links: list[Link]) -> Mapping[tuple[AuditKind, str], Entry | str]:
        """What is stored of the links' subjects; a text says what is wrong with it."""
        found: dict[tuple[AuditKind, str], Entry | str] = {}
        decisions = [link.subject for link in links if link.kind is AuditKind.DECISION]
        outcomes = [link.subject for link in links if link.kind is AuditKind.OUTCOME]
        rules = [int(link.subject) for link in links if link.kind is AuditKind.RULE and link.subject.isdigit()]
        with self._db.read() as connection:
            for row in connection.execute(_DECISIONS.where(DECISIONS.c.id.in_(decisions))):
                found[AuditKind.DECISION, row.id] = _disagreement(row._mapping) or decision_entry(
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


class _Walk:
    """One pass along the rows."""

    def __init__(self) -> None:
        self.report = AuditReport()
        self._blank: dict[str, int] = {}
        self._erasures: set[str] = set()
        self._more = 0

    def step(self, link: Link, stored: Entry | str | None, known: Head | None) -> None:
        report = self.report
        if link.seq != report.head.seq + 1:
            self._tell(f"row {report.head.seq + 1} is missing: the log goes on with row {link.seq}")
        elif link.link_sha256 != link_sha256(link, report.head):
            self._tell(f"row {link.seq} ({link.kind} {link.subject}) was changed, or rows before it were swapped")
        if known is not None and link.seq == known.seq and link.link_sha256 != known.link_sha256:
            self._tell(f"row {link.seq} is not the one whose head was kept elsewhere: the log was written anew")
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
                self._tell(f"row {seq} ({subject}): what tells of the shopper is gone, and no erasure was logged")
        if (stored.seq, stored.link_sha256) != (report.head.seq, report.head.link_sha256):
            self._tell(
                f"the log ends at row {report.head.seq}, its head says {stored.seq}: rows at its end were dropped"
            )
        if stored.seal:
            report.sealed = check_seal(stored.message(), stored.seal)
            if not report.sealed:
                self._tell(f"the head at row {stored.seq} does not bear the service's signature")
        if known is not None and known.seq > report.head.seq:
            self._tell(f"the log ends at row {report.head.seq}, the head kept elsewhere says {known.seq}: cut off")
        report.head = stored
        if self._more:
            report.problems.append(f"and {self._more} more")
        return report

    def _subject(self, link: Link, stored: Entry | str | None) -> None:
        name = f"row {link.seq}: {link.kind} {link.subject}"
        if stored is None:
            self._tell(f"{name} is gone")
        elif isinstance(stored, str):
            self._tell(f"{name}: {stored}")
        elif content_sha256(stored.content) != link.content_sha256:
            self._tell(f"{name} was changed")
        elif link.personal_hmac is not None and (link.salt is None or stored.personal is None):
            if link.salt is not None or stored.personal is not None:
                self._tell(f"{name}: what tells of the shopper was changed")
            self._blank[f"{link.kind}:{link.subject}"] = link.seq
        elif (link.personal_hmac is None) != (stored.personal is None) or (
            link.salt is not None and personal_hmac(link.salt, stored.personal or b"") != link.personal_hmac
        ):
            self._tell(f"{name}: what tells of the shopper was changed")

    def _tell(self, problem: str) -> None:
        if len(self.report.problems) < _SHOWN:
            self.report.problems.append(problem)
        else:
            self._more += 1


def _disagreement(row: RowMapping) -> str | None:
    """Whether a decision's columns say something else than its body."""
    try:
        decision = decode_decision(EncodedDecision(row["body"], row["personal"]))
    except StoreError:
        return "cannot be read: it was changed"
    wrong = [name for name in _COLUMNS if row[name] != getattr(decision, name)]
    if row["stored_personalised"] != int(decision.personalised):  # SQLite keeps any number; each but 0 is true
        wrong.append("personalised")
    if row["lever"] != decision.strategy.lever:
        wrong.append("lever")
    if row["shopper_id"] != decision.shopper_id:
        wrong.append("shopper_id")
    return f"{', '.join(wrong)} was changed" if wrong else None
