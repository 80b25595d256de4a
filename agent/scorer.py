"""Step 4: every candidate, brought within the limits, to three scores with intervals.

Candidates are scored at the price that would really be shown, after the gateway. The posterior draws are kept beside
the scores: selection compares candidates draw by draw, which intervals cannot do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.decision import Candidate, Interval, PastOutcome, Scores
from agent.observation import Encoded, Observation
from agent.proposals import Proposal
from agent.retriever import Retrieved
from models.evaluator import EVIDENCE, Evaluator, Response, Situations, evidence_row

Floats = NDArray[np.float64]
FinalPrice = Callable[[Observation, int], int]

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

    def __init__(self, evaluator: Evaluator, final_price: FinalPrice) -> None:
        """`final_price` tells what the gateway would make of a proposed price."""
        self._evaluator = evaluator
        self._final_price = final_price

    def join(self, observations: Sequence[Observation], encoded: Encoded, retrieved: Retrieved) -> Situations:
        """Everything the evaluator reads, one row an observation."""
        rivals = [
            np.log(o.market.rival_minor / o.reference_minor) if o.market.rival_minor else np.nan for o in observations
        ]
        intents = [o.history.intent(o.subject.product, o.subject.category, o.behaviour_s) for o in observations]
        return Situations(
            features=encoded.features,
            evidence=evidence_matrix(retrieved.past, self._evaluator.base_rate),
            interest=encoded.interest_logit,
            affinity=encoded.affinity,
            shopper=encoded.shopper,
            product=encoded.product,
            familiarity=retrieved.familiarity,
            intent=np.asarray(intents, np.float32),
            trend=np.asarray([o.market.trend for o in observations], np.float32),
            rival_log_ratio=np.asarray(rivals, np.float32),
        )

    def score(
        self, observations: Sequence[Observation], situations: Situations, proposals: Sequence[Sequence[Proposal]]
    ) -> list[Scored]:
        """Score each observation's proposals."""
        if not observations:
            return []
        prices = [
            [self._final_price(o, proposal.raw_minor) for proposal in own]
            for o, own in zip(observations, proposals, strict=True)
        ]
        response = self._evaluator.respond(situations, log_ratios(observations, prices))
        return [
            _scored(o, own, prices[row], row, response)
            for row, (o, own) in enumerate(zip(observations, proposals, strict=True))
        ]


def log_ratios(observations: Sequence[Observation], prices: Sequence[Sequence[int]]) -> Floats:
    """log(price / reference) `(n, m)`; shorter rows are padded with their reference price."""
    width = max(len(own) for own in prices)
    ratios = np.zeros((len(prices), width))
    for row, (o, own) in enumerate(zip(observations, prices, strict=True)):
        ratios[row, : len(own)] = np.log(np.asarray(own, np.float64) / o.reference_minor)
    return ratios


def evidence_matrix(past: Sequence[Sequence[PastOutcome]], base_rate: float) -> NDArray[np.float32]:
    """Retrieved outcomes as features `(n, len(EVIDENCE))`."""
    rows = np.zeros((len(past), len(EVIDENCE)), np.float32)
    for row, outcomes in enumerate(past):
        rows[row] = evidence_row(
            np.asarray([float(outcome.bought) for outcome in outcomes]),
            np.asarray([outcome.weight for outcome in outcomes]),
            np.asarray([outcome.similarity for outcome in outcomes]),
            np.asarray([outcome.price_ratio for outcome in outcomes]),
            base_rate,
        )
    return rows


def price_scores(observation: Observation, prices: Sequence[int], response: Response, row: int) -> list[Scores]:
    """Three scores of one row at its prices; profit is expected, over the whole quantity, in minor units."""
    count = len(prices)
    purchase, satisfaction = response.purchase[row, :count], response.satisfaction[row, :count]
    purchase_bounds = np.percentile(response.purchase_draws[row, :count], _BOUNDS, axis=1)
    satisfaction_bounds = np.percentile(response.satisfaction_draws[row, :count], _BOUNDS, axis=1)
    margins = (np.asarray(prices, np.float64) - observation.unit_cost) * observation.quantity
    return [
        Scores(
            purchase_probability=_interval(purchase[i], purchase_bounds[:, i]),
            profit=_interval(purchase[i] * margins[i], purchase_bounds[:, i] * margins[i]),
            satisfaction=_interval(satisfaction[i], satisfaction_bounds[:, i]),
        )
        for i in range(count)
    ]


def _scored(
    observation: Observation, proposals: Sequence[Proposal], prices: Sequence[int], row: int, response: Response
) -> Scored:
    count = len(prices)
    candidates = tuple(
        Candidate(p.strategy, p.source, p.rationale, p.raw_minor, price, scores)
        for p, price, scores in zip(proposals, prices, price_scores(observation, prices, response, row), strict=True)
    )
    return Scored(
        candidates=candidates,
        reference=0,  # the proposer puts the reference first
        purchase=response.purchase[row, :count],
        satisfaction=response.satisfaction[row, :count],
        purchase_draws=response.purchase_draws[row, :count],
        satisfaction_draws=response.satisfaction_draws[row, :count],
    )


def _interval(value: float, bounds: Floats) -> Interval:
    """An interval that holds its value, ends in order (a loss's bounds come the other way round)."""
    low, high = sorted((float(bounds[0]), float(bounds[1])))
    return Interval(float(value), min(low, float(value)), max(high, float(value)))
