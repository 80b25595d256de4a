"""Grid search, the numeric part of step 3: moves from the reference price of most utility, by mean and by draws."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.pricing.flow import Observation, PriceBasis
from agent.rules.gateway_columns import bound_columns
from models.arrays import Floats
from models.evaluator.evaluator import Expected, Response
from models.evaluator.utility import Offers, utility
from models.strategist.strategy import SEARCHED_MOVES, USUAL_PCT

TRIED_MOVES: Final = SEARCHED_MOVES[SEARCHED_MOVES.index(0) % 4 :: 4]
_TOP_MOVES: Final = 2
_APART_PCT: Final = 3
_DIRECTED: Final = 6


def grid(moves: Sequence[int], n: int) -> Floats:
    """log(price / reference) of moves for each of `n` situations, `(n, len(moves))`."""
    return np.log1p(np.asarray(moves, np.float64) / 100)[None].repeat(n, axis=0)


class GridSearch:
    """Searches over moves inside the limits, with the weights and the boldness that selection will use."""

    def best_moves(self, observations: Sequence[Observation], basis: PriceBasis, expected: Expected) -> list[list[int]]:
        """The most valuable of `SEARCHED_MOVES` of each observation, at least three percent apart, the best first."""
        inside = _inside(observations, basis, SEARCHED_MOVES)
        value = _values(basis, SEARCHED_MOVES, expected.purchase, expected.satisfaction)
        value = np.where(inside, value, -np.inf)
        moves, rows = np.asarray(SEARCHED_MOVES), np.arange(len(observations))
        best: list[list[int]] = [[] for _ in observations]
        for _ in range(_TOP_MOVES):
            at = value.argmax(axis=1)
            found = np.isfinite(value[rows, at]).tolist()
            for row, move in enumerate(moves[at].tolist()):
                if found[row]:
                    best[row].append(move)
            value = np.where(np.abs(moves - moves[at][:, None]) < _APART_PCT, -np.inf, value)
        return best

    def wins(self, observations: Sequence[Observation], basis: PriceBasis, response: Response) -> list[Counter[int]]:
        """Count the draws in which each of `TRIED_MOVES` is best, shrunk towards the mean as selection shrinks them.

        The moves best in most draws as they are come beside, for the information-directed choice. `response` is that at
        `TRIED_MOVES`.
        """
        inside = _inside(observations, basis, TRIED_MOVES)
        mean = _values(basis, TRIED_MOVES, response.purchase, response.satisfaction)[:, :, None]
        drawn = _values(basis, TRIED_MOVES, response.purchase_draws, response.satisfaction_draws)
        boldness = np.asarray([o.merchant.selection.boldness for o in observations], np.float64)[:, None, None]
        value = np.where(inside[:, :, None], mean + boldness * (drawn - mean), -np.inf)
        winners: list[list[int]] = np.asarray(TRIED_MOVES)[value.argmax(axis=1)].tolist()
        plain = np.where(inside[:, :, None], drawn, -np.inf)
        candidates: list[list[int]] = np.asarray(TRIED_MOVES)[plain.argmax(axis=1)].tolist()
        possible: list[bool] = np.any(inside, axis=1).tolist()
        rows = zip(winners, candidates, possible, strict=True)
        return [Counter(own) | _most(others) if some else Counter() for own, others, some in rows]


def _most(winners: Sequence[int]) -> Counter[int]:
    """The moves that win most often, ties to the smallest."""
    ordered = sorted(Counter(winners).items(), key=lambda item: (-item[1], abs(item[0])))
    return Counter(dict(ordered[:_DIRECTED]))


def _inside(observations: Sequence[Observation], basis: PriceBasis, moves: Sequence[int]) -> NDArray[np.bool_]:
    """Moves that the limits allow, `(n, len(moves))`; far ones only where the prices ever offered are known."""
    low, high = bound_columns([one.within for one in basis.maps])
    step = np.asarray([o.price_limits.rules.step_minor for o in observations], np.float64)[:, None]
    prices = np.rint(_ratios(moves) * basis.reference_minor / step) * step
    usual = (np.asarray(moves) >= USUAL_PCT[0]) & (np.asarray(moves) <= USUAL_PCT[1])
    known = np.asarray([o.price_limits.facts.tried is not None for o in observations], bool)[:, None]
    return np.asarray((prices >= low) & (prices <= high) & (usual | known))


def _values(basis: PriceBasis, moves: Sequence[int], purchase: Floats, satisfaction: Floats) -> Floats:
    """Utility of moves `(n, len(moves))`; a further axis of the probabilities, of draws, stays."""
    at = moves.index(0)
    ratio, cost, weights = _ratios(moves)[None], basis.opportunity, basis.weights
    if purchase.ndim == 3:
        ratio, cost, weights = ratio[:, :, None], cost[:, :, None], weights.of_draws
    reference = slice(at, at + 1)
    return utility(
        Offers(ratio, cost, purchase, satisfaction, purchase[:, reference], satisfaction[:, reference]), weights
    )


def _ratios(moves: Sequence[int]) -> Floats:
    return 1 + np.asarray(moves, np.float64) / 100
