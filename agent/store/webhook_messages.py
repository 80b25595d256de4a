"""Webhook messages: events as JSON without personal data, so that no erasure must reach another system."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from agent.domain.decision import Decision
from agent.store.job_records import JobRecord

_BACKOFF_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)  # as the Standard Webhooks specification proposes
MAX_ATTEMPTS: Final = len(_BACKOFF_S) + 1


class WebhookEvent(StrEnum):
    """Type of a webhook event."""

    QUOTE_CREATED = "quote.created"
    RULE_BOUND = "rule.bound"
    """A rule of the gateway moved a price."""
    MODEL_ACTIVATED = "model.activated"
    JOB_ENDED = "job.ended"
    """An import or a training is done, failed or cancelled."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `message_id` is the same in every process and attempt, so that receivers recognise repetitions."""

    message_id: str
    event: WebhookEvent
    body: str


def of_decision(decision: Decision) -> Iterator[Message]:
    """Messages about a quote."""
    about = {"quote_id": decision.id, "product_id": decision.product_id, "currency": decision.currency}
    price = {
        "price_minor": decision.price_minor,
        "reference_minor": decision.reference_minor,
        "quantity": decision.quantity,
        "personalised": decision.personalised,
        "rung": decision.rung.value,
        "valid_until": decision.valid_until.isoformat(),
    }
    yield _message(f"quote_{decision.id}", WebhookEvent.QUOTE_CREATED, decision.at, {**about, **price})
    if decision.trail:
        rules = [{"rule": s.rule, "from_minor": s.from_minor, "to_minor": s.to_minor} for s in decision.trail]
        yield _message(f"rule_{decision.id}", WebhookEvent.RULE_BOUND, decision.at, {**about, "rules": rules})


def of_models(versions: Mapping[str, str], activation: str, at: datetime) -> Message:
    """Message about model versions put in use; `activation` identifies the change."""
    return _message(f"model_{activation}", WebhookEvent.MODEL_ACTIVATED, at, {"versions": dict(versions)})


def of_job(job: JobRecord) -> Message:
    """Message about a job that ended; its report is read over HTTP, as it may have rows of the file."""
    about = {"job_id": job.job_id, "kind": job.kind.value, "state": job.state.value}
    return _message(f"job_{job.job_id}", WebhookEvent.JOB_ENDED, job.ended_at or job.created_at, about)


def backoff_s(attempts: int) -> int | None:
    """Seconds to wait after a number of failed attempts; None to give up."""
    return _BACKOFF_S[attempts - 1] if 1 <= attempts < MAX_ATTEMPTS else None


def _message(message_id: str, event: WebhookEvent, at: datetime, data: Mapping[str, object]) -> Message:
    body = json.dumps({"type": event.value, "timestamp": at.isoformat(), "data": data}, separators=(",", ":"))
    return Message(message_id, event, body)
