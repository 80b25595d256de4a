"""Step 3: candidates from all four sources, as many as the deadline allows."""

from collections.abc import Mapping, Sequence
from typing import Final

from agent.domain.decision import HeldReason, Rung
from agent.pricing.candidates import (
    SoldMoves,
    distinct,
    explored_proposals,
    facts_of,
    model_proposals,
    numeric_proposals,
    reference_proposal,
    retrieved_proposals,
    sold_moves,
    standing_proposals,
)
from agent.pricing.flow import Flow, Observation, Proposed
from agent.pricing.grid_search import TRIED_MOVES, GridSearch, grid
from agent.pricing.model_proposer import ModelProposer
from agent.state.arrival_rates import Arrivals
from models.arrays import Floats
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
        flow.proposed = proposed = [_reference_alone(o) for o in observations]
        timely = [row for row, o in enumerate(observations) if o.held is None and o.left_ms() > _NUMERIC_MS]
        if not timely:
            return
        expected = self._evaluator.expect(flow.represented, grid(SEARCHED_MOVES, len(observations)))
        self._count(observations, expected)
        sold = sold_moves(flow.retrieved.past.neighbours)
        facts = _facts(flow, timely, expected, sold)
        written = self._model.propose(facts)
        best = self._search.best_moves(observations, flow.basis, expected)
        wins = self._wins(flow)
        for row, known, model in zip(timely, facts, written, strict=True):
            o = observations[row]
            proposals = [
                reference_proposal(o, HeldReason.NOTHING_BETTER),
                *model_proposals(o, model.written),
                *retrieved_proposals(o, sold, row),
                *numeric_proposals(o, best[row], known),
                *explored_proposals(o, wins[row] if o.explores else {}, N_DRAWS, known),
                *standing_proposals(o),
            ]
            proposed[row] = Proposed(distinct(proposals), model.rung)

    def _count(self, observations: Sequence[Observation], expected: Expected) -> None:
        if not self._counts:
            return
        for row, o in enumerate(observations):
            if o.product_id is not None:
                limited = o.market.hours_left is not None
                units = o.market.stock.inventory if limited else None
                self._arrivals.saw(o.product_id, o.behaviour_s, expected.purchase[row], units)

    def _wins(self, flow: Flow) -> Sequence[Mapping[int, int]]:
        """Moves worth trying out, of each observation; empty where no merchant explores."""
        observations = flow.observations
        if not any(o.explores for o in observations):
            return [{}] * len(observations)
        drawn = self._evaluator.respond(flow.represented, grid(TRIED_MOVES, len(observations)))
        return self._search.wins(observations, flow.basis, drawn)


def _facts(flow: Flow, timely: Sequence[int], expected: Expected, sold: SoldMoves) -> list[StrategistFacts]:
    lifts, interest = _lifts(expected.purchase), flow.encoded.interest.tolist()
    past = list(zip(sold.count, sold.total, sold.mean_ratio, strict=True))
    cost = flow.basis.opportunity[:, 0].tolist()
    rows = list(zip(flow.observations, flow.retrieved.similar, past, interest, lifts, cost, strict=True))
    return [facts_of(*rows[row]) for row in timely]


def _reference_alone(observation: Observation) -> Proposed:
    why = observation.held or HeldReason.NO_TIME
    return Proposed([reference_proposal(observation, why), *standing_proposals(observation)], Rung.REFERENCE)


def _lifts(purchase: Floats) -> list[tuple[float, float, float]]:
    """Purchase probability at `RESPONSE_MOVES` relative to that at the reference, of each row of `(n, moves)`."""
    at, reference = [SEARCHED_MOVES.index(move) for move in RESPONSE_MOVES], SEARCHED_MOVES.index(0)
    lifts = purchase[:, at] / purchase[:, reference : reference + 1]
    return [(down, less, up) for down, less, up in lifts.tolist()]
