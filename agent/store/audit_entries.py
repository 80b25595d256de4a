"""Audit entries: the bytes of a decision, an outcome or a rule event that the audit log commits to."""

import hashlib
import json
from dataclasses import asdict, fields
from typing import Final

from agent.domain.records import OutcomeRecord, RuleEvent
from agent.store.chain import AuditKind, Entry
from agent.store.column_types import micros

_NOT_LOGGED: Final = ("shopper_id", "profile", "context", "cost_minor", "returned")
"""Not of outcomes of quotes, or in the decision."""
_WHERE_GIVEN: Final = ("rating",)  # outcomes logged before it was a column have entries without it


def decision_entry(decision_id: str, body: str, personal: str | None) -> Entry:
    """Entry of a decision: its stored texts."""
    return Entry(AuditKind.DECISION, decision_id, body.encode(), None if personal is None else personal.encode())


def outcome_entry(record: OutcomeRecord) -> Entry:
    """Entry of an outcome: its columns as a JSON list, the shopper's id as the personal part."""
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in _NOT_LOGGED}
    values = {name: value for name, value in values.items() if value is not None or name not in _WHERE_GIVEN}
    values |= {"type": record.type.value, "at": micros(record.at)}
    content = json.dumps(list(values.values())).encode()
    personal = None if record.shopper_id is None else record.shopper_id.encode()
    return Entry(AuditKind.OUTCOME, record.outcome_id, content, personal)


def rule_entry(event: RuleEvent) -> Entry:
    """Entry of a rule event: its columns as a JSON list, the document by its SHA-256."""
    values = asdict(event)
    for name in ("at", "active_from", "active_until"):
        values[name] = None if values[name] is None else micros(values[name])
    if event.document is not None:
        values["document"] = hashlib.sha256(event.document.encode()).hexdigest()
    return Entry(AuditKind.RULE, str(event.seq), json.dumps(list(values.values())).encode())
