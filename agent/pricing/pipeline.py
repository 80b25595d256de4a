"""The pipeline: seven steps from requests to recorded decisions, read from top to bottom.

A batch of requests goes through together, so that one pass of each model serves all of them; a single quote is a
batch of one. What the steps hand on is a `Flow`: each reads what those before it added and adds its own part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.flow import Flow
from agent.pricing.guard import Guard
from agent.pricing.observe import Observer
from agent.pricing.propose import Proposer
from agent.pricing.record import Recorder
from agent.pricing.retrieve import Retriever
from agent.pricing.score import Scorer
from agent.pricing.select import Selector
from agent.pricing.step_timer import StepTimer
from agent.pricing.tracing import batch_span

_RETRIES: Final = 3
_BUSY: Final = Refusal(503, "shopper-busy", "this shopper is being quoted this product by others; try again")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One component per step."""

    observer: Observer
    retriever: Retriever
    proposer: Proposer
    scorer: Scorer
    selector: Selector
    guard: Guard
    recorder: Recorder

    @batch_span
    def quote(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Decision | Refusal]:
        """Price requests; one decision or refusal each, in their order.

        A request whose shopper was quoted another price by another process meanwhile goes through again, up to
        `_RETRIES` times.
        """
        answers = self._steps(requests, now)
        for _ in range(_RETRIES):
            late = [row for row, answer in enumerate(answers) if answer is None]
            if not late:
                break
            for row, again in zip(late, self._steps([requests[row] for row in late], now), strict=True):
                answers[row] = again
        return [_BUSY if answer is None else answer for answer in answers]

    def _steps(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Decision | Refusal | None]:
        """The seven steps, once; None where another process quoted the shopper another price meanwhile."""
        flow = Flow(requests, now)
        timer = StepTimer(flow.timings_ms)

        # 1: events, profile and history become features and encoder states; what cannot be priced leaves here.
        # Some laws bound a price by that for an unknown shopper, which a counterfactual pipeline makes.
        self.observer.observe(flow, self.counterfactual().quote)
        timer.done("observe")
        if not flow.observations:
            return flow.answers()

        # 2: similar products, and past outcomes of similar shoppers with the prices they were offered
        self.retriever.retrieve(flow)
        timer.done("retrieve")

        # 3: strategies that the language model wrote earlier, beside retrieved, numeric and reference candidates
        self.proposer.propose(flow)
        timer.done("propose")

        # 4: purchase probability, profit and satisfaction of every candidate, with intervals
        self.scorer.score(flow)
        timer.done("score")

        # 5: the merchant's weights, abstention, exploration with its exact propensity
        self.selector.select(flow)
        timer.done("select")

        # 6: the merchant's limits, last, always; step 4 scored at the prices that they leave
        self.guard.guard(flow)
        timer.done("guard")

        # 7: sign and store durably, with the training input for its outcome, before the answer leaves
        self.recorder.record(flow)
        timer.done("record")
        return flow.answers()

    def counterfactual(self) -> "Pipeline":
        """A copy without side effects: records and counts nothing, and selects greedily, without exploration."""
        return replace(
            self,
            observer=self.observer.counterfactual(),
            proposer=self.proposer.counterfactual(),
            selector=self.selector.greedy(),
            recorder=self.recorder.counterfactual(),
        )
