"""Step 3: candidates from all four sources, as far down the deadline ladder as time allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.decision import Rung
from agent.guarding import Guard
from agent.model_proposer import ModelProposals, ModelProposer
from agent.observation import Encoded, Observation
from agent.proposals import (
    PriceResponse,
    Proposal,
    distinct,
    facts_of,
    model_proposals,
    numeric_proposals,
    reference_proposal,
    retrieved_proposals,
)
from agent.retriever import Retrieved
from agent.timing import StepTimer
from models.evaluator import Evaluator, Situations
from models.strategist_facts import RESPONSE_MOVES, StrategistFacts
from models.strategy import MOVES
from models.value import Offers, Weights, utility

_NUMERIC_MS: Final = 4.0
_TOP_MOVES: Final = 2


@dataclass(frozen=True, slots=True)
class Proposed:
    """Candidates of one observation, the reference first, and the rung they came from."""

    proposals: tuple[Proposal, ...]
    rung: Rung


class Proposer:
    """Joins the sources."""

    def __init__(self, evaluator: Evaluator, model: ModelProposer, guard: Guard, weights: Weights) -> None:
        """The numeric search uses the evaluator, the limits and the weights that selection will use."""
        self._evaluator = evaluator
        self._model = model
        self._guard = guard
        self._weights = weights
        self._moves = np.asarray(MOVES, np.float64)

    def propose(
        self,
        observations: Sequence[Observation],
        encoded: Encoded,
        retrieved: Retrieved,
        situations: Situations,
        timer: StepTimer,
    ) -> list[Proposed]:
        """Candidates for each observation; those that hold the reference, or have no time left, get that alone."""
        if not observations:
            return []
        open_rows = [row for row, o in enumerate(observations) if o.holds_reference is None]
        timely = [row for row in open_rows if observations[row].deadline_ms - timer.elapsed_ms > _NUMERIC_MS]
        answers = [self._held(o) for o in observations]
        if not timely:
            return answers
        grid = np.log1p(self._moves / 100)[None].repeat(len(observations), axis=0)
        expected = self._evaluator.expect(situations, grid)
        facts = [
            facts_of(
                observations[row],
                retrieved.similar[row],
                retrieved.past[row],
                float(encoded.interest[row]),
                PriceResponse(_lifts(expected.purchase[row]), not self._guard.merchant.never_above_reference),
            )
            for row in timely
        ]
        left_ms = [observations[row].deadline_ms - timer.elapsed_ms for row in timely]
        written = self._model.propose(facts, left_ms, lambda: timer.elapsed_ms)
        for row, known, model in zip(timely, facts, written, strict=True):
            best = self._best_moves(observations[row], expected.purchase[row], expected.satisfaction[row])
            answers[row] = self._joined(observations[row], retrieved, row, (known, model, best))
        return answers

    def _held(self, observation: Observation) -> Proposed:
        why = observation.holds_reference or "no time was left for more"
        return Proposed((reference_proposal(observation, why),), Rung.REFERENCE)

    def _joined(
        self,
        observation: Observation,
        retrieved: Retrieved,
        row: int,
        found: tuple[StrategistFacts, ModelProposals, list[int]],
    ) -> Proposed:
        facts, model, best = found
        proposals = [
            reference_proposal(observation, "no other candidate is expected to be worth more"),
            *model_proposals(observation, model.written),
            *retrieved_proposals(observation, retrieved.past[row]),
            *numeric_proposals(observation, best, facts),
        ]
        return Proposed(tuple(distinct(proposals)), model.rung)

    def _best_moves(
        self, observation: Observation, purchase: NDArray[np.float64], satisfaction: NDArray[np.float64]
    ) -> list[int]:
        """The most valuable whole-percent moves inside the limits, at least three percent apart."""
        reference = observation.reference_minor
        ratio = 1 + self._moves / 100
        at = MOVES.index(0)
        cost = observation.market.stock.opportunity_cost(observation.unit_cost / reference, 1.0)
        offers = Offers(ratio, np.asarray(cost), purchase, satisfaction, purchase[at], satisfaction[at])
        allowed = self._guard.bounds(observation)
        prices = np.rint(ratio * reference)
        inside = (prices >= allowed.low_minor) & (prices <= (allowed.high_minor or np.inf))
        value = np.where(inside, utility(offers, self._weights), -np.inf)
        best: list[int] = []
        for index in np.argsort(-value, kind="stable"):
            move = MOVES[int(index)]
            if np.isfinite(value[index]) and all(abs(move - other) >= 3 for other in best):
                best.append(move)
            if len(best) == _TOP_MOVES:
                break
        return best


def _lifts(purchase: NDArray[np.float64]) -> tuple[float, float, float]:
    """Purchase probability at `RESPONSE_MOVES` over that at the reference."""
    down, less, up = purchase[[MOVES.index(move) for move in RESPONSE_MOVES]] / purchase[MOVES.index(0)]
    return float(down), float(less), float(up)
