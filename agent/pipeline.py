"""The pipeline: seven steps from requests to recorded decisions, read from top to bottom.

A batch of requests goes through together, so that one pass of each model serves all of them; a single quote is a
batch of one. Requests that cannot be priced leave at step 1 with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.api.schemas import QuoteRequest
from agent.decision import Decision
from agent.guarding import Guard
from agent.observation import Observation
from agent.observe import Observer
from agent.parity import bounded_by_strangers
from agent.proposer import Proposer
from agent.recorder import Outcome, Recorder
from agent.refusal import Refusal
from agent.retriever import Retriever
from agent.scorer import Scorer
from agent.selector import Selector
from agent.timing import StepTimer
from agent.tracing import batch_span


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
        proposer, selector, recorder = self.proposer.uncounted(), self.selector.greedy(), self.recorder.draft()
        return replace(self, proposer=proposer, selector=selector, recorder=recorder)

    @batch_span
    def quote(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Decision | Refusal]:
        """Price requests; answers come in their order, one decision or refusal each."""
        timer = StepTimer()

        # 1 observe: events, profile and history become features and encoder states
        observed = bounded_by_strangers(self.observer.observe(requests, now), self.draft().quote, now)
        seen = [item for item in observed if isinstance(item, Observation)]
        encoded = self.observer.encode(seen)
        timer.done("observe")

        # 2 retrieve: similar products, and what alike shoppers did at which prices
        retrieved = self.retriever.retrieve(seen, encoded)
        situations = self.scorer.join(seen, encoded, retrieved.evidence)
        timer.done("retrieve")

        # 3 propose: the language model's strategies beside retrieved, numeric and reference ones
        proposed = self.proposer.propose(seen, encoded, retrieved, situations, timer)
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
