"""Quotes that are expected to be given."""

from typing import Any

from agent.api.schemas import QuoteRequest
from agent.decision import Decision
from agent.pricing import Service


def ask(service: Service, **request: Any) -> Decision:
    answer = service.quote([QuoteRequest.model_validate(request)])[0]
    assert isinstance(answer, Decision), answer
    return answer
