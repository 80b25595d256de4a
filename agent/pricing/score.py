"""Step 4: purchase probability, profit and satisfaction of every candidate, with intervals.

Candidates are scored at the price that would really be shown, after the guard. The posterior draws are kept beside
the scores: selection compares candidates draw by draw, which intervals cannot do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.domain.decision import Candidate, Interval, Scores
from agent.pricing.flow import Flow, Proposal, Scored, Situation
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, Response
from models.evaluator.lesson import Lesson

_BOUNDS: Final = (5.0, 95.0)


class Scorer:
    """Runs the evaluator over whole batches."""

    def __init__(self, evaluator: Evaluator) -> None:
        """Score with `evaluator`."""
        self._evaluator = evaluator

    def score(self, flow: Flow) -> None:
        """Add `scored`, at the prices that the guard will make of the proposals."""
        if not flow.observations:
            flow.scored = []
            return
        prices = [
            o.price_limits.preview([proposal.raw_minor for proposal in own.proposals])
            for o, own in zip(flow.observations, flow.proposed, strict=True)
        ]
        response = self._evaluator.respond(flow.inputs, log_ratios(flow.observations, prices))
        bounds = interval_bounds(response)
        flow.scored = [
            _scored(own.proposals, prices[row], price_scores(o, prices[row], response, bounds, row), row, response)
            for row, (o, own) in enumerate(zip(flow.observations, flow.proposed, strict=True))
        ]

    def lessons(self, flow: Flow, shown: Sequence[int]) -> list[Lesson]:
        """Inputs of the online update after an outcome at the price shown (minor units), one for each observation."""
        if not flow.observations:
            return []
        ratios = log_ratios(flow.observations, [[price] for price in shown])[:, 0]
        base = self._evaluator.base(flow.inputs, ratios)
        columns = zip(base.level.tolist(), base.slope.tolist(), base.rest.tolist(), ratios.tolist(), strict=True)
        return [Lesson(*numbers, o.terms) for numbers, o in zip(columns, flow.observations, strict=True)]


def log_ratios(seen: Sequence[Situation], prices: Sequence[Sequence[int]]) -> Floats:
    """log(price / reference) `(n, m)`; shorter rows are padded with their reference price."""
    width = max(len(own) for own in prices)
    ratios = np.zeros((len(prices), width))
    for row, (o, own) in enumerate(zip(seen, prices, strict=True)):
        ratios[row, : len(own)] = np.log(np.asarray(own, np.float64) / o.reference_minor)
    return ratios


@dataclass(frozen=True, slots=True)
class IntervalBounds:
    """Ends of the intervals over the posterior draws, `(2, n, m)` each."""

    purchase: Floats
    satisfaction: Floats


def interval_bounds(response: Response) -> IntervalBounds:
    """The 5 % and 95 % quantiles of every row and price."""
    return IntervalBounds(
        np.percentile(response.purchase_draws, _BOUNDS, axis=2),
        np.percentile(response.satisfaction_draws, _BOUNDS, axis=2),
    )


def price_scores(
    situation: Situation, prices: Sequence[int], response: Response, bounds: IntervalBounds, row: int
) -> list[Scores]:
    """Three scores of one row at its prices; profit is expected, over the whole quantity, in minor units."""
    margins = [(price - situation.unit_cost) * situation.quantity for price in prices]
    purchase, satisfaction = response.purchase[row].tolist(), response.satisfaction[row].tolist()
    low, high = bounds.purchase[:, row].tolist()
    worst, best = bounds.satisfaction[:, row].tolist()
    return [
        Scores(
            purchase_probability=_interval(purchase[i], low[i], high[i]),
            profit=_interval(purchase[i] * margin, low[i] * margin, high[i] * margin),
            satisfaction=_interval(satisfaction[i], worst[i], best[i]),
        )
        for i, margin in enumerate(margins)
    ]


def _scored(
    proposals: Sequence[Proposal], prices: Sequence[int], scores: Sequence[Scores], row: int, response: Response
) -> Scored:
    count = len(prices)
    candidates = tuple(
        Candidate(p.strategy, p.source, p.rationale, p.raw_minor, price, own, origin=p.origin)
        for p, price, own in zip(proposals, prices, scores, strict=True)
    )
    return Scored(
        candidates=candidates,
        reference=0,  # the proposer puts the reference first
        purchase=response.purchase[row, :count],
        satisfaction=response.satisfaction[row, :count],
        purchase_draws=response.purchase_draws[row, :count],
        satisfaction_draws=response.satisfaction_draws[row, :count],
    )


def _interval(value: float, one_end: float, other: float) -> Interval:
    """An interval that holds its value, ends in order (a loss's bounds come the other way round)."""
    return Interval(value, min(one_end, other, value), max(one_end, other, value))
