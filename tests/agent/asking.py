"""Quotes that are expected to be given."""

from typing import Any

from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.service.service import Service


def ask(service: Service, **request: Any) -> Decision:
    answer = service.quote([QuoteRequest.model_validate(request)])[0]
    assert isinstance(answer, Decision), answer
    return answer
