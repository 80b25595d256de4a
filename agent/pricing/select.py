"""Step 5: utilities of all candidates from the merchant's weights, then the choice."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from agent.domain.decision import Candidate, Decision, Origin
from agent.pricing.bandit import Contest, Selection, select
from agent.pricing.flow import Flow, Observation, Scored, Selected
from agent.rules.exploration import Exploration
from models.evaluator.utility import Offers, utility


class Selector:
    """Applies weights, abstention and exploration as the merchant set them."""

    def __init__(self, rng: Callable[[], np.random.Generator], *, greedy: bool = False) -> None:
        """`rng` makes the generator that exploration draws from; with `greedy` nothing is left to chance."""
        self._rng = rng
        self._greedy = greedy

    def greedy(self) -> "Selector":
        """For counterfactuals: nothing is left to chance."""
        return Selector(self._rng, greedy=True)

    def drawing_from(self, rng: Callable[[], np.random.Generator]) -> "Selector":
        """This selector with another random generator."""
        return Selector(rng, greedy=self._greedy)

    def select(self, flow: Flow) -> None:
        """Add `selected`, one choice for each observation."""
        rng = self._rng()
        flow.selected = [self._one(o, one, rng) for o, one in zip(flow.observations, flow.scored, strict=True)]

    def _one(self, observation: Observation, scored: Scored, rng: np.random.Generator) -> Selected:
        standing = _standing(observation, scored)
        if observation.live is not None and standing is not None:
            return _stands(observation.live, scored, standing)
        rules = observation.merchant.selection
        if self._greedy:
            rules = replace(rules, exploration=Exploration.OFF, control_frac=0.0)
        choice = select(self._contest(observation, scored), rules, rng)
        return Selected(
            candidates=_marked(scored, choice),
            index=choice.index,
            propensity=choice.propensity,
            confidence=choice.confidence,
            abstained=choice.abstained,
            explored=choice.tried,
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
        weights = observation.merchant.weights
        return Contest(scored.prices, utility(means, weights), utility(draws, weights), at, observation.shown)


def _marked(scored: Scored, choice: Selection) -> tuple[Candidate, ...]:
    """Candidates with their probabilities, the chosen one marked."""
    return tuple(
        replace(candidate, probability=choice.probabilities[index], chosen=index == choice.index)
        for index, candidate in enumerate(scored.candidates)
    )


def _standing(observation: Observation, scored: Scored) -> int | None:
    """Index of the standing price; None where there is none, or the guard would move it."""
    price = observation.standing_minor
    found = (i for i, c in enumerate(scored.candidates) if c.origin is Origin.STANDING and c.price_minor == price)
    return next(found, None)


def _stands(live: Decision, scored: Scored, index: int) -> Selected:
    """The price of a live quote, with its original propensity."""
    candidates = tuple(
        replace(candidate, probability=float(at == index), chosen=at == index)
        for at, candidate in enumerate(scored.candidates)
    )
    return Selected(candidates, index, live.propensity, live.confidence, abstained=False, standing=live)
