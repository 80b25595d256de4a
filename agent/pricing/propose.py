"""Step 3: candidates from all four sources, as many as the deadline allows."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import HeldReason, PastOutcome, Rung
from agent.pricing.candidates import (
    PriceResponse,
    distinct,
    explored_proposals,
    facts_of,
    model_proposals,
    numeric_proposals,
    reference_proposal,
    retrieved_proposals,
    standing_proposals,
)
from agent.pricing.flow import Flow, Observation, Proposal, Proposed
from agent.pricing.grid_search import TRIED_MOVES, GridSearch, grid
from agent.pricing.model_proposer import ModelProposals, ModelProposer
from agent.state.arrival_rates import Arrivals
from models.evaluator.evaluator import Evaluator, Expected
from models.evaluator.monotone import N_DRAWS
from models.strategist.facts import RESPONSE_MOVES, StrategistFacts
from models.strategist.strategy import SEARCHED_MOVES

_NUMERIC_MS: Final = 4.0


class Proposer:
    """Joins the sources of candidates."""

    def __init__(self, evaluator: Evaluator, model: ModelProposer, search: GridSearch, arrivals: Arrivals) -> None:
        """`arrivals` counts every request; where the merchant explores, winners of posterior draws are added."""
        self._evaluator = evaluator
        self._model = model
        self._search = search
        self._arrivals = arrivals
        self._counts = True

    def counterfactual(self) -> "Proposer":
        """For counterfactual requests; not counted in arrival rates."""
        other = Proposer(self._evaluator, self._model, self._search, self._arrivals)
        other._counts = False
        return other

    def propose(self, flow: Flow) -> None:
        """Add `proposed`; requests that hold the reference, or have no time left, get the reference alone."""
        observations = flow.observations
        proposed = [_reference_alone(o) for o in observations]
        open_rows = [row for row, o in enumerate(observations) if o.held is None]
        timely = [row for row in open_rows if observations[row].left_ms() > _NUMERIC_MS]
        if timely:
            expected = self._evaluator.expect(flow.inputs, grid(SEARCHED_MOVES, len(observations)))
            self._count(observations, expected)
            facts = _facts(flow, timely, expected)
            written = self._model.propose(facts)
            numeric = self._numeric(flow, timely, expected, facts)
            for row, model, found in zip(timely, written, numeric, strict=True):
                proposed[row] = _joined(observations[row], flow.retrieved.past[row], model, found)
        flow.proposed = proposed

    def _count(self, observations: Sequence[Observation], expected: Expected) -> None:
        if not self._counts:
            return
        for row, o in enumerate(observations):
            if o.product_id is not None:
                self._arrivals.saw(o.product_id, o.behaviour_s, expected.purchase[row])

    def _numeric(
        self, flow: Flow, timely: Sequence[int], expected: Expected, facts: Sequence[StrategistFacts]
    ) -> list[list[Proposal]]:
        """The search's best moves, and those worth trying out where the merchant explores."""
        observations = flow.observations
        explores = any(observations[row].explores for row in timely)
        drawn = self._evaluator.respond(flow.inputs, grid(TRIED_MOVES, len(observations))) if explores else None
        found = []
        for row, known in zip(timely, facts, strict=True):
            observation = observations[row]
            best = self._search.best_moves(observation, expected.purchase[row], expected.satisfaction[row])
            own = numeric_proposals(observation, best, known)
            if drawn is not None and observation.explores:
                own += explored_proposals(observation, self._search.wins(observation, drawn, row), N_DRAWS, known)
            found.append(own)
        return found


def _facts(flow: Flow, timely: Sequence[int], expected: Expected) -> list[StrategistFacts]:
    return [
        facts_of(
            flow.observations[row],
            flow.retrieved.similar[row],
            flow.retrieved.past[row],
            float(flow.encoded.interest[row]),
            PriceResponse(_lifts(expected.purchase[row]), flow.observations[row].may_rise),
        )
        for row in timely
    ]


def _reference_alone(observation: Observation) -> Proposed:
    why = observation.held or HeldReason.NO_TIME
    return Proposed((reference_proposal(observation, why), *standing_proposals(observation)), Rung.REFERENCE)


def _joined(
    observation: Observation, past: Sequence[PastOutcome], model: ModelProposals, numeric: Sequence[Proposal]
) -> Proposed:
    proposals = [
        reference_proposal(observation, HeldReason.NOTHING_BETTER),
        *model_proposals(observation, model.written),
        *retrieved_proposals(observation, past),
        *numeric,
        *standing_proposals(observation),
    ]
    return Proposed(tuple(distinct(proposals)), model.rung)


def _lifts(purchase: NDArray[np.float64]) -> tuple[float, float, float]:
    """Purchase probability at `RESPONSE_MOVES` relative to that at the reference."""
    at = [SEARCHED_MOVES.index(move) for move in RESPONSE_MOVES]
    down, less, up = purchase[at] / purchase[SEARCHED_MOVES.index(0)]
    return float(down), float(less), float(up)
