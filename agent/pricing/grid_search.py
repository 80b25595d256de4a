"""Grid search, the numeric part of step 3: moves from the reference price of most utility, by mean and by draws."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from agent.pricing.flow import Observation
from models.arrays import Floats
from models.evaluator.evaluator import Response
from models.evaluator.utility import Offers, utility
from models.strategist.strategy import SEARCHED_MOVES

TRIED_MOVES: Final = SEARCHED_MOVES[::4]
_TOP_MOVES: Final = 2
_APART_PCT: Final = 3


def grid(moves: Sequence[int], n: int) -> Floats:
    """log(price / reference) of moves for each of `n` situations, `(n, len(moves))`."""
    return np.log1p(np.asarray(moves, np.float64) / 100)[None].repeat(n, axis=0)


class GridSearch:
    """Searches over moves inside the limits, with the weights and the boldness that selection will use."""

    def best_moves(self, observation: Observation, purchase: Floats, satisfaction: Floats) -> list[int]:
        """The most valuable of `SEARCHED_MOVES`, at least three percent apart; probabilities are `(moves,)`."""
        value = self._values(observation, SEARCHED_MOVES, purchase, satisfaction)
        best: list[int] = []
        for index in np.argsort(-value, kind="stable"):
            move = SEARCHED_MOVES[int(index)]
            if np.isfinite(value[index]) and all(abs(move - other) >= _APART_PCT for other in best):
                best.append(move)
            if len(best) == _TOP_MOVES:
                break
        return best

    def wins(self, observation: Observation, response: Response, row: int) -> Counter[int]:
        """Count the draws in which each of `TRIED_MOVES` is best, shrunk towards the mean as selection shrinks them.

        `response` is that at `TRIED_MOVES`.
        """
        mean = self._values(observation, TRIED_MOVES, response.purchase[row], response.satisfaction[row])[:, None]
        inside = np.isfinite(mean[:, 0])
        if not inside.any():
            return Counter()
        drawn = self._values(observation, TRIED_MOVES, response.purchase_draws[row], response.satisfaction_draws[row])
        moves = np.asarray(TRIED_MOVES)[inside]
        value = mean[inside] + observation.merchant.selection.boldness * (drawn[inside] - mean[inside])
        return Counter(moves[value.argmax(axis=0)].tolist())

    def _values(self, observation: Observation, moves: Sequence[int], purchase: Floats, satisfaction: Floats) -> Floats:
        """Utility of moves, -inf outside the limits; trailing axes of the probabilities stay."""
        reference = observation.reference_minor
        ratio = 1 + np.asarray(moves, np.float64) / 100
        at = moves.index(0)
        allowed = observation.price_limits.bounds
        step = observation.price_limits.rules.step_minor
        prices = np.rint(ratio * reference / step) * step
        inside = (prices >= allowed.low_minor) & (prices <= (allowed.high_minor or np.inf))
        shape = (len(moves),) + (1,) * (purchase.ndim - 1)
        cost = observation.market.stock.opportunity_cost(observation.unit_cost / reference, 1.0)
        offers = Offers(ratio.reshape(shape), np.asarray(cost), purchase, satisfaction, purchase[at], satisfaction[at])
        return np.where(inside.reshape(shape), utility(offers, observation.merchant.weights), -np.inf)
