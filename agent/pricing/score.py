"""Step 4: every candidate, brought within the limits, to three scores with intervals.

Candidates are scored at the price that would really be shown, after the gateway. The posterior draws are kept beside
the scores: selection compares candidates draw by draw, which intervals cannot do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.domain.decision import Candidate, Interval, Scores
from agent.pricing.candidates import Proposal
from agent.pricing.observation import Encoded, Observation, Situation
from agent.pricing.retrieve import Evidence
from agent.state.online_learner import Learner
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, Response, Situations, evidence_matrix
from models.evaluator.lesson import Lesson

FinalPrices = Callable[[Observation, Sequence[int]], list[int]]

_BOUNDS: Final = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one observation and what selection needs of them.

    Attributes:
        reference: Index of the candidate that holds the reference price.
        purchase, satisfaction: Means `(m,)`; `*_draws` are `(m, draws)`.
    """

    candidates: tuple[Candidate, ...]
    reference: int
    purchase: Floats
    satisfaction: Floats
    purchase_draws: Floats
    satisfaction_draws: Floats

    @property
    def prices(self) -> tuple[int, ...]:
        """Prices after the gateway."""
        return tuple(candidate.price_minor for candidate in self.candidates)


class Scorer:
    """The evaluator over whole batches."""

    def __init__(self, evaluator: Evaluator, learner: Learner, final_prices: FinalPrices) -> None:
        """`final_prices` tells what the gateway would make of proposed prices."""
        self._evaluator = evaluator
        self._learner = learner
        self._final_prices = final_prices

    def join(self, seen: Sequence[Situation], encoded: Encoded, evidence: Evidence) -> Situations:
        """Everything the evaluator reads, one row a situation."""
        rivals = [np.log(o.market.rival_minor / o.reference_minor) if o.market.rival_minor else np.nan for o in seen]
        return Situations(
            features=encoded.features,
            evidence=evidence_matrix(evidence.outcomes, self._evaluator.base_rate),
            interest=encoded.interest_logit,
            affinity=encoded.affinity,
            shopper=encoded.shopper,
            product=encoded.product,
            familiarity=evidence.familiarity,
            intent=np.asarray([o.intent for o in seen], np.float32),
            trend=np.asarray([o.market.trend for o in seen], np.float32),
            rival_log_ratio=np.asarray(rivals, np.float32),
            shift=self._learner.shift([o.terms for o in seen]),
            out_of_domain=not self._learner.in_domain,
        )

    def lessons(
        self, observations: Sequence[Observation], situations: Situations, shown: Sequence[int]
    ) -> list[Lesson]:
        """What an outcome at the price shown will teach, one for each observation."""
        if not observations:
            return []
        ratios = log_ratios(observations, [[price] for price in shown])[:, 0]
        base = self._evaluator.base(situations, ratios)
        columns = zip(base.level.tolist(), base.slope.tolist(), base.rest.tolist(), ratios.tolist(), strict=True)
        return [Lesson(*numbers, o.terms) for numbers, o in zip(columns, observations, strict=True)]

    def score(
        self, observations: Sequence[Observation], situations: Situations, proposals: Sequence[Sequence[Proposal]]
    ) -> list[Scored]:
        """Score each observation's proposals."""
        if not observations:
            return []
        prices = [
            self._final_prices(o, [proposal.raw_minor for proposal in own])
            for o, own in zip(observations, proposals, strict=True)
        ]
        response = self._evaluator.respond(situations, log_ratios(observations, prices))
        bounds = interval_bounds(response)
        return [
            _scored(own, prices[row], price_scores(o, prices[row], response, bounds, row), row, response)
            for row, (o, own) in enumerate(zip(observations, proposals, strict=True))
        ]


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
        Candidate(p.strategy, p.source, p.rationale, p.raw_minor, price, own)
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
