"""Step 5: utilities of all candidates from the merchant's weights, then the choice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from agent.domain.candidates import Origin
from agent.pricing.bandit import Contests, Selection, choose
from agent.pricing.flow import Flow, Observation, Selected
from agent.rules.exploration import Exploration, SelectionRules
from models.arrays import Floats
from models.evaluator.utility import Offers, utility

_WIDE: Final = 1.0  # posterior sd of the slope before softplus from which draws are not trusted
_NARROW: Final = 0.4


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
        observations = flow.observations
        standing = [_standing(flow, row) for row in range(len(observations))]
        fresh = [row for row, stands in enumerate(standing) if stands is None]
        rules = [self._rules(observations[row]) for row in fresh]
        chosen = dict(zip(fresh, choose(_contests(flow).rows(fresh), rules, self._rng()), strict=True))
        flow.selected = [stands or _fresh(chosen[row]) for row, stands in enumerate(standing)]

    def _rules(self, observation: Observation) -> SelectionRules:
        rules = observation.merchant.selection
        return replace(rules, exploration=Exploration.OFF, control_frac=0.0) if self._greedy else rules


def _contests(flow: Flow) -> Contests:
    """The candidates of every observation with their utilities."""
    basis, scored = flow.basis, flow.scored
    response, price_ratio = scored.response, scored.price_minor / basis.reference_minor
    means = Offers(
        price_ratio,
        basis.opportunity,
        response.purchase,
        response.satisfaction,
        response.purchase[:, :1],  # the reference comes first
        response.satisfaction[:, :1],
    )
    draws = Offers(
        price_ratio[:, :, None],
        basis.opportunity[:, :, None],
        response.purchase_draws,
        response.satisfaction_draws,
        response.purchase_draws[:, :1],
        response.satisfaction_draws[:, :1],
    )
    drawn, narrow, worth = utility(draws, basis.weights.of_draws), _narrow(flow), None
    if narrow.any():
        of_mean = replace(
            draws,
            purchase_at_reference=response.purchase[:, :1, None],
            satisfaction_at_reference=response.satisfaction[:, :1, None],
        )
        worth = utility(of_mean, basis.weights.of_draws)
    return Contests(
        prices=scored.price_minor,
        count=scored.count,
        mean=utility(means, basis.weights),
        draws=drawn,
        reference=np.zeros(len(scored.count), np.int64),
        shown=[o.shown for o in flow.observations],
        worth=drawn if worth is None else worth,
        narrow=narrow,
        caution=scored.caution,
    )


def _narrow(flow: Flow) -> Floats:
    """Share of the information-directed choice, `(n,)`: it grows as the learned slope's posterior narrows.

    0 where nobody explores, and where the evaluator knows the shop: there its own posterior, not online learning, says
    what is uncertain.
    """
    inputs = flow.represented.inputs
    if inputs.shift is None or not inputs.out_of_domain or not any(o.explores for o in flow.observations):
        return np.zeros(len(flow.observations))
    sd = inputs.shift.slope_draws.std(axis=1)
    return np.asarray(np.clip((_WIDE - sd) / (_WIDE - _NARROW), 0.0, 1.0))


def _fresh(choice: Selection) -> Selected:
    return Selected(
        index=choice.index,
        probabilities=choice.probabilities,
        propensity=choice.propensity,
        confidence=choice.confidence,
        abstained=choice.abstained,
        explored=choice.explored,
    )


def _standing(flow: Flow, row: int) -> Selected | None:
    """The price of a live quote, with its original propensity; None where there is none, or the guard would move it."""
    observation, proposals = flow.observations[row], flow.proposed[row].proposals
    live, price = observation.live, observation.standing_minor
    if live is None or price is None:
        return None
    prices = flow.scored.price_minor[row].tolist()
    for index, proposal in enumerate(proposals):
        if proposal.origin is Origin.STANDING and prices[index] == price:
            chances = [float(at == index) for at in range(len(proposals))]
            return Selected(index, chances, live.propensity, live.confidence, abstained=False, standing=live)
    return None
