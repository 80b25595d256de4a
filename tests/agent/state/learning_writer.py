"""Quotes and posts outcomes until it is killed, with a snapshot every third, and says how many were acknowledged."""

import sys
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import agent.state.online_learner
from agent.domain.decision import Decision
from agent.domain.records import OutcomeType
from agent.domain.request import QuoteRequest
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.outcome_sequence import OutcomeReport
from agent.service.settings import Settings

if __name__ == "__main__":
    agent.state.online_learner.SAVE_EVERY = 3  # type: ignore[misc]
    settings = Settings(data_dir=Path(sys.argv[1]), default_deadline_ms=30_000, language_model=False)
    service = open_service(settings, open_store(settings))
    asked = QuoteRequest.model_validate({"product": {"id": sys.argv[2]}, "shopper": {"profile": {"region": "north"}}})
    decision = service.quote([asked])[0]
    assert isinstance(decision, Decision)
    for number in count():
        fresh = replace(decision, id=f"{decision.id}-{number}")
        service._parts.store.record_decisions([fresh])
        kind = OutcomeType.PURCHASED if number % 3 else OutcomeType.DECLINED
        service.add_outcomes([OutcomeReport(fresh.id, kind, None, decision.at + timedelta(minutes=1))])
        print(number + 1, flush=True)
