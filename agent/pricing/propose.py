"""Step 3: candidates from all four sources, as far down the deadline ladder as time allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import PastOutcome, Rung
from agent.pricing.candidates import (
    PriceResponse,
    Proposal,
    distinct,
    explored_proposals,
    facts_of,
    live_proposals,
    model_proposals,
    numeric_proposals,
    reference_proposal,
    retrieved_proposals,
)
from agent.pricing.grid_search import TRIED_MOVES, Search, grid
from agent.pricing.model_proposer import ModelProposals, ModelProposer, model_time_ms
from agent.pricing.observation import Encoded, Observation
from agent.pricing.retrieve import Retrieved
from agent.state.arrival_rates import Arrivals
from models.evaluator.evaluator import Evaluator, Situations
from models.evaluator.monotone import N_DRAWS
from models.strategist.facts import RESPONSE_MOVES
from models.strategist.strategy import SEARCHED_MOVES

_NUMERIC_MS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Proposed:
    """Candidates of one observation, the reference first, and the rung they came from."""

    proposals: tuple[Proposal, ...]
    rung: Rung


class Proposer:
    """Joins the sources."""

    def __init__(self, evaluator: Evaluator, model: ModelProposer, search: Search, arrivals: Arrivals) -> None:
        """`arrivals` hears of every request; where the merchant explores the draws' favourites are proposed too."""
        self._evaluator = evaluator
        self._model = model
        self._search = search
        self._arrivals = arrivals
        self._counts = True

    def uncounted(self) -> "Proposer":
        """The same proposer for requests that nobody makes: arrivals do not hear of them."""
        other = Proposer(self._evaluator, self._model, self._search, self._arrivals)
        other._counts = False
        return other

    @property
    def language_model(self) -> str:
        """`ok`, `off`, or why the language model does not propose at present."""
        return self._model.state

    def propose(
        self,
        observations: Sequence[Observation],
        encoded: Encoded,
        retrieved: Retrieved,
        situations: Situations,
    ) -> list[Proposed]:
        """Candidates for each observation; those that hold the reference, or have no time left, get that alone."""
        if not observations:
            return []
        open_rows = [row for row, o in enumerate(observations) if o.holds_reference is None]
        timely = [row for row in open_rows if observations[row].left_ms() > _NUMERIC_MS]
        answers = [self._held(o) for o in observations]
        if not timely:
            return answers
        expected = self._evaluator.expect(situations, grid(SEARCHED_MOVES, len(observations)))
        for row, o in enumerate(observations):
            if o.product_id is not None and self._counts:
                self._arrivals.saw(o.product_id, o.behaviour_s, expected.purchase[row])
        facts = [
            facts_of(
                observations[row],
                retrieved.similar[row],
                retrieved.past[row],
                float(encoded.interest[row]),
                PriceResponse(_lifts(expected.purchase[row]), observations[row].may_rise),
            )
            for row in timely
        ]
        # answered together, they wait for each other: none may take the time that another lacks
        together = [observations[row] for row in timely]
        end_s = perf_counter() + min(model_time_ms(o.deadline_ms, o.left_ms(), o.waited_ms) for o in together) / 1e3
        written = self._model.propose(facts, lambda: (end_s - perf_counter()) * 1e3)
        explores = any(observations[row].explores for row in timely)
        drawn = self._evaluator.respond(situations, grid(TRIED_MOVES, len(observations))) if explores else None
        for row, known, model in zip(timely, facts, written, strict=True):
            observation = observations[row]
            best = self._search.best_moves(observation, expected.purchase[row], expected.satisfaction[row])
            found = numeric_proposals(observation, best, known)
            if drawn is not None and observation.explores:
                wins = self._search.wins(observation, drawn, row)
                found += explored_proposals(observation, wins, N_DRAWS, known)
            answers[row] = self._joined(observation, retrieved.past[row], model, found)
        return answers

    def _held(self, observation: Observation) -> Proposed:
        why = observation.holds_reference or "no time was left for more"
        return Proposed((reference_proposal(observation, why), *live_proposals(observation)), Rung.REFERENCE)

    def _joined(
        self,
        observation: Observation,
        past: Sequence[PastOutcome],
        model: ModelProposals,
        numeric: Sequence[Proposal],
    ) -> Proposed:
        proposals = [
            reference_proposal(observation, "no other candidate is expected to be worth more"),
            *model_proposals(observation, model.written),
            *retrieved_proposals(observation, past),
            *numeric,
            *live_proposals(observation),
        ]
        return Proposed(tuple(distinct(proposals)), model.rung)


def _lifts(purchase: NDArray[np.float64]) -> tuple[float, float, float]:
    """Purchase probability at `RESPONSE_MOVES` over that at the reference."""
    at = [SEARCHED_MOVES.index(move) for move in RESPONSE_MOVES]
    down, less, up = purchase[at] / purchase[SEARCHED_MOVES.index(0)]
    return float(down), float(less), float(up)
