"""The pipeline: seven steps from requests to recorded decisions, read from top to bottom.

A batch of requests goes through together, so that one pass of each model serves all of them; a single quote is a
batch of one. Requests that cannot be priced leave at step 1 with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.guard import Guard
from agent.pricing.observation import Observation
from agent.pricing.observe import Observer
from agent.pricing.parity import bounded_by_strangers
from agent.pricing.propose import Proposer
from agent.pricing.record import Outcome, Recorder
from agent.pricing.retrieve import Retriever
from agent.pricing.score import Scorer
from agent.pricing.select import Selector
from agent.pricing.step_timer import StepTimer
from agent.pricing.tracing import batch_span

_TRIES: Final = 3
_BUSY: Final = Refusal(503, "Not available", "this shopper is being quoted this product by others; try again")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts, one a step."""

    observer: Observer
    retriever: Retriever
    proposer: Proposer
    scorer: Scorer
    selector: Selector
    guard: Guard
    recorder: Recorder

    def draft(self) -> "Pipeline":
        """The same pipeline for what-ifs: nothing is recorded, nobody counted, nothing left to chance."""
        return replace(
            self,
            observer=self.observer.draft(),
            proposer=self.proposer.uncounted(),
            selector=self.selector.greedy(),
            recorder=self.recorder.draft(),
        )

    @batch_span
    def quote(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Decision | Refusal]:
        """Price requests; answers come in their order, one decision or refusal each.

        A request whose shopper was quoted another price by another process meanwhile goes through again.
        """
        answers = self._steps(requests, now)
        for _ in range(_TRIES):
            late = [row for row, answer in enumerate(answers) if answer is None]
            if not late:
                break
            for row, again in zip(late, self._steps([requests[row] for row in late], now), strict=True):
                answers[row] = again
        return [_BUSY if answer is None else answer for answer in answers]

    def _steps(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Decision | Refusal | None]:
        """The seven steps, once; None where a decision came too late to be recorded."""
        timer = StepTimer()

        # 1 observe: events, profile and history become features and encoder states
        observed = bounded_by_strangers(self.observer.observe(requests, now), self.draft().quote, now)
        seen = [item for item in observed if isinstance(item, Observation)]
        encoded = self.observer.reader.encode(seen)
        timer.done("observe")

        # 2 retrieve: similar products, and what alike shoppers did at which prices
        retrieved = self.retriever.retrieve(seen, encoded)
        situations = self.scorer.join(seen, encoded, retrieved.evidence)
        timer.done("retrieve")

        # 3 propose: the language model's strategies beside retrieved, numeric and reference ones
        proposed = self.proposer.propose(seen, encoded, retrieved, situations)
        timer.done("propose")

        # 4 score: purchase probability, profit and satisfaction of every candidate, with intervals
        scored = self.scorer.score(seen, situations, [one.proposals for one in proposed])
        timer.done("score")

        # 5 select: the merchant's weights, abstention, exploration with its exact propensity
        selected = self.selector.select(seen, scored)
        timer.done("select")

        # 6 guard: the gateway, last, always
        guarded = self.guard.apply(seen, selected)
        timer.done("guard")

        # 7 record: signed, with what its outcome will teach, and durable before the answer leaves
        lessons = self.scorer.lessons(seen, situations, [one.price_minor for one in guarded])
        outcomes = [
            Outcome(observation, row, encoded, retrieved, proposed[row], selected[row], guarded[row], lessons[row])
            for row, observation in enumerate(seen)
        ]
        decisions = iter(self.recorder.record(outcomes, timer))
        timer.done("record")
        return [item if isinstance(item, Refusal) else next(decisions) for item in observed]
