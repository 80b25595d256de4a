"""Step 5: utilities of all candidates from the merchant's weights, then the choice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.decision import Candidate
from agent.observation import Observation
from agent.scorer import Scored
from agent.selection import Contest, Exploration, Selection, SelectionRules, select
from models.value import Offers, Weights, utility


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen candidate, all candidates with their probabilities, and how sure the choice is."""

    candidates: tuple[Candidate, ...]
    index: int
    propensity: float
    confidence: float
    abstained: bool
    tried: bool = False

    @property
    def chosen(self) -> Candidate:
        """The candidate whose price is shown."""
        return self.candidates[self.index]

    @property
    def raw_minor(self) -> int:
        """Its price before the gateway."""
        return self.chosen.raw_minor


class Selector:
    """Weights, abstention and exploration as the merchant set them."""

    def __init__(self, weights: Weights, rules: SelectionRules, rng: Callable[[], np.random.Generator]) -> None:
        """`rng` makes the generator that exploration draws from."""
        self._weights = weights
        self._rules = rules
        self._rng = rng

    def greedy(self) -> "Selector":
        """The same choice with nothing left to chance."""
        return Selector(self._weights, replace(self._rules, exploration=Exploration.OFF, control_frac=0.0), self._rng)

    def drawing_from(self, rng: Callable[[], np.random.Generator]) -> "Selector":
        """The same selector with other dice."""
        return Selector(self._weights, self._rules, rng)

    def select(self, observations: Sequence[Observation], scored: Sequence[Scored]) -> list[Selected]:
        """Choose for each observation."""
        rng = self._rng()
        return [self._one(o, one, rng) for o, one in zip(observations, scored, strict=True)]

    def _one(self, observation: Observation, scored: Scored, rng: np.random.Generator) -> Selected:
        choice = select(self._contest(observation, scored), self._rules, rng)
        return Selected(
            candidates=_marked(scored, choice),
            index=choice.index,
            propensity=choice.propensity,
            confidence=choice.confidence,
            abstained=choice.abstained,
            tried=choice.tried,
        )

    def _contest(self, observation: Observation, scored: Scored) -> Contest:
        reference = observation.reference_minor
        cost = observation.unit_cost / reference
        opportunity = np.asarray(observation.market.stock.opportunity_cost(cost, 1.0))
        price_ratio = np.asarray(scored.prices, np.float64) / reference
        at = scored.reference
        means = Offers(
            price_ratio, opportunity, scored.purchase, scored.satisfaction, scored.purchase[at], scored.satisfaction[at]
        )
        draws = Offers(
            price_ratio[:, None],
            opportunity,
            scored.purchase_draws,
            scored.satisfaction_draws,
            scored.purchase_draws[at],
            scored.satisfaction_draws[at],
        )
        return Contest(
            scored.prices, utility(means, self._weights), utility(draws, self._weights), at, observation.shown
        )


def _marked(scored: Scored, choice: Selection) -> tuple[Candidate, ...]:
    """Candidates with their probabilities, the chosen one marked."""
    return tuple(
        replace(candidate, probability=choice.probabilities[index], chosen=index == choice.index)
        for index, candidate in enumerate(scored.candidates)
    )
