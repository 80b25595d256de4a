"""Step 4: every candidate price to three scores with intervals, through the evaluator's posterior draws.

The draws are kept beside the scores: selection compares candidates draw by draw, which an interval cannot do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.decision import Interval, PastOutcome, Scores
from agent.observation import Observation
from models.evaluator import EVIDENCE, Evaluator, Response, Situations, evidence_row
from models.features import PAIR_FEATURES, SHOPPER_PRODUCT, feature_matrix
from models.interest import InterestHead, conditional_state
from models.monotone import sigmoid

Floats = NDArray[np.float64]

_LOW, _HIGH = 5.0, 95.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoder states of a batch, `(n, 384)` each, and interest logits `(n,)`."""

    shopper: NDArray[np.float32]
    product: NDArray[np.float32]
    interest_logit: NDArray[np.float32]

    @property
    def interest(self) -> Floats:
        """`I_u(c)`, 0-1."""
        return sigmoid(self.interest_logit.astype(np.float64))


@dataclass(frozen=True, slots=True)
class PriceScores:
    """Scores of one situation at several prices, with the draws `(m, draws)` behind the intervals."""

    scores: tuple[Scores, ...]
    purchase: Floats
    satisfaction: Floats
    purchase_draws: Floats
    satisfaction_draws: Floats


def interest_logits(
    head: InterestHead, states: tuple[NDArray[np.float32], NDArray[np.float32]], features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interest of shoppers in their products' categories, from (shopper, category) states and feature rows."""
    start = len(SHOPPER_PRODUCT)
    pair = features[:, start : start + len(PAIR_FEATURES)]
    return head.logits(conditional_state(states[0], states[1], pair))


def evidence_matrix(evidence: Sequence[Sequence[PastOutcome]], base_rate: float) -> NDArray[np.float32]:
    """Retrieved outcomes as features `(n, len(EVIDENCE))`."""
    rows = np.zeros((len(evidence), len(EVIDENCE)), np.float32)
    for row, outcomes in enumerate(evidence):
        rows[row] = evidence_row(
            np.asarray([float(outcome.bought) for outcome in outcomes]),
            np.asarray([outcome.weight for outcome in outcomes]),
            np.asarray([outcome.similarity for outcome in outcomes]),
            np.asarray([outcome.price_ratio for outcome in outcomes]),
            base_rate,
        )
    return rows


def situations(
    observations: Sequence[Observation],
    features: Sequence[Sequence[float]],
    encoded: Encoded,
    evidence: NDArray[np.float32],
    familiarity: NDArray[np.float32],
) -> Situations:
    """Join everything the evaluator reads, in the order of `observations`."""
    rivals = [
        np.log(o.market.rival_minor / o.reference_minor) if o.market.rival_minor else np.nan for o in observations
    ]
    intents = [
        o.history.intent(o.subject.product, o.subject.category, o.behaviour_s) if o.personal else 0.0
        for o in observations
    ]
    return Situations(
        features=feature_matrix([list(row) for row in features]),
        evidence=evidence,
        interest=encoded.interest_logit,
        shopper=encoded.shopper,
        product=encoded.product,
        familiarity=familiarity,
        intent=np.asarray(intents, np.float32),
        trend=np.asarray([o.market.trend for o in observations], np.float32),
        rival_log_ratio=np.asarray(rivals, np.float32),
    )


def respond(evaluator: Evaluator, batch: Situations, prices: Sequence[Sequence[int]], references: Sequence[int]) -> Response:
    """The evaluator at each row's own prices (minor units); shorter rows are padded with their reference price."""
    width = max(len(row) for row in prices)
    log_ratio = np.zeros((len(prices), width))
    for row, (own, reference) in enumerate(zip(prices, references, strict=True)):
        log_ratio[row, : len(own)] = np.log(np.asarray(own, np.float64) / reference)
    return evaluator.respond(batch, log_ratio)


def price_scores(response: Response, row: int, observation: Observation, prices: Sequence[int]) -> PriceScores:
    """Scores of one row of a response at its prices; profit is expected, for the whole quantity, in minor units."""
    count = len(prices)
    purchase, satisfaction = response.purchase[row, :count], response.satisfaction[row, :count]
    purchase_draws = response.purchase_draws[row, :count]
    satisfaction_draws = response.satisfaction_draws[row, :count]
    cost = float(observation.product.cost_minor or 0)
    margins = (np.asarray(prices, np.float64) - cost) * observation.quantity
    purchase_bounds = np.percentile(purchase_draws, (_LOW, _HIGH), axis=1)
    satisfaction_bounds = np.percentile(satisfaction_draws, (_LOW, _HIGH), axis=1)
    scores = tuple(
        Scores(
            purchase_probability=_interval(purchase[i], purchase_bounds[:, i]),
            profit=_interval(purchase[i] * margins[i], purchase_bounds[:, i] * margins[i]),
            satisfaction=_interval(satisfaction[i], satisfaction_bounds[:, i]),
        )
        for i in range(count)
    )
    return PriceScores(scores, purchase, satisfaction, purchase_draws, satisfaction_draws)


def _interval(value: float, bounds: Floats) -> Interval:
    """An interval that holds its value, ends in order (a loss's bounds come the other way round)."""
    low, high = sorted((float(bounds[0]), float(bounds[1])))
    return Interval(float(value), min(low, float(value)), max(high, float(value)))
