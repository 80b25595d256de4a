"""What is told: events as JSON without anything of a shopper, so that no erasure has to reach another system."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from agent.domain.decision import Decision

_BACKOFF_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)  # as the Standard Webhooks specification proposes
MAX_ATTEMPTS: Final = len(_BACKOFF_S) + 1


class WebhookEvent(StrEnum):
    """What can be told."""

    QUOTE_CREATED = "quote.created"
    RULE_BOUND = "rule.bound"
    """A rule of the gateway moved a price."""
    MODEL_ACTIVATED = "model.activated"


@dataclass(frozen=True, slots=True)
class Message:
    """One event. `message_id` is the same in every process and attempt, for receivers to know repetitions by."""

    message_id: str
    event: WebhookEvent
    body: str


def of_decision(decision: Decision) -> Iterator[Message]:
    """The messages of one quote."""
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


def of_models(versions: Mapping[str, str], mark: str, at: datetime) -> Message:
    """Versions that came into use; `mark` tells one activation from the next."""
    return _message(f"model_{mark}", WebhookEvent.MODEL_ACTIVATED, at, {"versions": dict(versions)})


def backoff_s(attempts: int) -> int | None:
    """Seconds to wait after so many failed attempts; None when it is time to give up."""
    return _BACKOFF_S[attempts - 1] if 1 <= attempts < MAX_ATTEMPTS else None


def _message(message_id: str, event: WebhookEvent, at: datetime, data: Mapping[str, object]) -> Message:
    body = json.dumps({"type": event.value, "timestamp": at.isoformat(), "data": data}, separators=(",", ":"))
    return Message(message_id, event, body)
